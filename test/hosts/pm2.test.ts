import { cpus } from 'node:os'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { startMemcached, type Memcached } from '../support/memcached.ts'
import { secret } from '../support/stores.ts'
import { prepareProjects, say, type Projects } from './project.ts'

describe('pm2, by the ecosystem.config.cjs of docs/running.md', { timeout: 60_000 }, () => {
  let projects: Projects
  let project: string
  let memcached: Memcached
  let url: string
  const pm2 = (command: string) =>
    say(`PM2_HOME='${project}/.pm2' PM2_DISABLE_VERSION_CHECK=true npx pm2 ${command}`, project)
  const workers = async () => {
    const listed: { pid: number; pm2_env: { status: string } }[] = JSON.parse(await pm2('jlist --silent'))
    return listed.filter(({ pm2_env }) => pm2_env.status === 'online').map(({ pid }) => pid)
  }
  beforeAll(async () => {
    projects = await prepareProjects()
    project = await projects.begin('pm2', 'test/recipes/running')
    memcached = await startMemcached()
    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    await writeFile(join(project, 'session-secret'), secret)
    const shown = await readFile(join(project, 'ecosystem.config.cjs'), 'utf8')
    const here = shown
      .replace('PORT: 3000', `PORT: ${port}`)
      .replace('memcached://127.0.0.1:11200', memcached.address)
      .replace('/etc/shop/session-secret', join(project, 'session-secret'))
    await writeFile(join(project, 'ecosystem.config.cjs'), here)
    const settings = '--module nodenext --target es2022 --rewriteRelativeImportExtensions --types node'
    await say(`npx tsc --outDir dist ${settings} --skipLibCheck server.ts`, project)
    await pm2('start ecosystem.config.cjs')
    await vi.waitFor(() => fetch(`${url}/healthz`), { timeout: 20_000, interval: 200 })
  }, 240_000)
  afterAll(async () => {
    await pm2('kill')
    await memcached?.stop()
    await projects?.remove()
  })

  it('K2: starts a worker for each core, which share sign-ins, and a reload loses no request', async () => {
    const before = await workers()
    expect(before).toHaveLength(cpus().length)
    const signedIn = await fetch(`${url}/login`, { method: 'POST', redirect: 'manual' })
    const cookie = signedIn.headers.getSetCookie()[0]!.split(';')[0]!
    const greet = async () => {
      const response = await fetch(url, { headers: { cookie, connection: 'close' } })
      return `${response.status} ${await response.text()}`
    }
    const reload = { isOver: false }
    const reloaded = pm2('reload shop').finally(() => (reload.isOver = true))
    const answers: string[] = []
    while (!reload.isOver) answers.push(await greet())
    await reloaded
    answers.push(await greet())
    expect(new Set(answers)).toEqual(new Set(['200 u1: ']))
    expect(answers.length).toBeGreaterThan(5)
    const after = await workers()
    expect(after).toHaveLength(before.length)
    expect(after.filter((pid) => before.includes(pid))).toEqual([])
  })
})
