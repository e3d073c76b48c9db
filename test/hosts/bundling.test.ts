import { readFileSync, statSync } from 'node:fs'
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serve } from '../package/served.ts'
import { Browser } from '../support/browser.ts'
import { startMemcached, type Memcached } from '../support/memcached.ts'
import { secret } from '../support/stores.ts'
import { prepareProjects, say, type Projects } from './project.ts'

const guide = readFileSync('docs/bundling.md', 'utf8')
/** As the guide has them; each names the bundle that it makes. */
const commands = [...guide.matchAll(/^```sh\n(npx .*?)\n```$/gms)].map(([, command]) => command!)

describe('docs/bundling.md', { timeout: 60_000 }, () => {
  let projects: Projects
  let project: string
  let memcached: Memcached
  beforeAll(async () => {
    projects = await prepareProjects()
    project = await projects.begin('bundling', 'test/recipes/bundling')
    memcached = await startMemcached()
  }, 240_000)
  afterAll(async () => {
    await memcached?.stop()
    await projects?.remove()
  })

  it('shows these commands', () => {
    expect(commands.map((command) => command.split(' ').slice(0, 3).join(' '))).toEqual([
      'npx esbuild server.ts',
      'npx esbuild server.ts',
      'npx rollup --config',
      'npx vite build',
    ])
  })

  it.each(commands)('L6: %s: one file serves sessions where no package is', async (command) => {
    await say(command, project)
    const [bundle, ...others] = await readdir(join(project, 'out'))
    expect(others).toEqual([])
    const empty = await mkdtemp(join(tmpdir(), 'holdfast-empty-'))
    try {
      await copyFile(join(project, 'out', bundle!), join(empty, bundle!))
      console.log(
        `${command.split(' ')[1]}: ${bundle}, ${(statSync(join(empty, bundle!)).size / 1000).toFixed(0)} kB`,
      )
      await servesSessions(empty, bundle!)
    } finally {
      await rm(empty, { recursive: true })
      await rm(join(project, 'out'), { recursive: true })
    }
  })

  it('L6: minified, an error keeps its name', async () => {
    const program = `import { StoreUnavailableError } from 'holdfast'; console.log(new StoreUnavailableError('get', '').name)`
    const minified = 'npx esbuild --bundle --minify --platform=node'
    expect(await say(`echo "${program}" | ${minified} | node`, project)).toBe('StoreUnavailableError\n')
  })

  async function servesSessions(folder: string, bundle: string): Promise<void> {
    const browser = new Browser()
    const { url, stop } = await serve(folder, [process.execPath, bundle], () => ({
      SESSION_STORE: memcached.address,
      SESSION_SECRET: secret,
    }))
    try {
      for (const view of [1, 2, 3]) expect((await browser.open(url)).html).toBe(`view ${view}`)
      await Promise.all(Array.from({ length: 20 }, () => browser.open(url)))
      expect((await browser.open(url)).html).toBe('view 24')
      // What MemcachedStore throws brings its answer.
      await memcached.stop()
      const { status, headers } = await browser.open(url)
      expect([status, headers.get('Retry-After')]).toEqual([503, '1'])
    } finally {
      await stop()
      memcached = await startMemcached({ port: memcached.port })
    }
  }
})
