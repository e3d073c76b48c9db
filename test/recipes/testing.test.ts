import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import express from 'express'
import supertest from 'supertest'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createSessionManager, type SessionOptions } from 'holdfast'
import { MemcachedStore } from 'holdfast/memcached'
import { session } from 'holdfast/node'
import { issueSession } from 'holdfast/testing'
import { watchConsole } from '../support/console-watch.ts'
import { startMemcached } from '../support/memcached.ts'
import { secret } from '../support/stores.ts'

const DAY = 86_400_000
const sleep = setTimeout
const ends: (() => unknown)[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const end of ends.splice(0)) await end()
})

/** Who is signed in at first, when the idle timeout is over, and when the absolute one is. */
async function usersOverTime(options: SessionOptions, pass: (milliseconds: number) => unknown) {
  const manager = createSessionManager(options)
  ends.unshift(() => manager.close())
  const app = express().use(session(manager))
  app.get('/', async (request, response) => {
    response.send(String(await request.session.userId()))
  })
  const cookie = await issueSession(manager, {}, { user: 'u1' })
  const ask = async () => (await supertest(app).get('/').set('Cookie', cookie)).text
  const users = [await ask()]
  for (const days of [1, 13]) {
    pass(days * DAY)
    users.push(await ask())
  }
  return users
}

async function onMemcached(): Promise<SessionOptions> {
  const server = await startMemcached()
  ends.push(() => server.stop())
  return { store: new MemcachedStore(server.address), secret }
}

describe('a fake clock', () => {
  const pass = (milliseconds: number) => vi.advanceTimersByTime(milliseconds)

  it.each([
    ['Date alone', { toFake: ['Date' as const] }],
    ['all timers', {}],
  ])('of %s ends sessions of the own store, and leaves sockets alone', async (_, fake) => {
    vi.useFakeTimers(fake)
    expect(await usersOverTime({}, pass)).toEqual(['u1', 'undefined', 'undefined'])
  })

  it('of Date alone is not the clock of memcached, which keeps idle timeouts', async () => {
    const options = await onMemcached()
    vi.useFakeTimers({ toFake: ['Date'] })
    expect(await usersOverTime(options, pass)).toEqual(['u1', 'u1', 'undefined'])
  })

  it('of all timers leaves MemcachedStore waiting, its deadline too', async () => {
    const manager = createSessionManager(await onMemcached())
    ends.unshift(() => manager.close())
    vi.useFakeTimers()
    const asked = issueSession(manager, {}, { user: 'u1' })
    const deadline = new Promise((resolve) => sleep(() => resolve('still waiting'), 300))
    expect(await Promise.race([asked, deadline])).toBe('still waiting')
    vi.useRealTimers()
    void asked.catch(() => {})
  })

  it('is what is passed as now, and the own store goes by it', async () => {
    let now = Date.now()
    const later = (milliseconds: number) => (now += milliseconds)
    expect(await usersOverTime({ now: () => now }, later)).toEqual(['u1', 'undefined', 'undefined'])
  })
})

describe('Secure cookies over plain http', () => {
  function createApp(cookie: SessionOptions['cookie']) {
    const app = express().use(session({ cookie }))
    app.get('/', async (request, response) => {
      response.send(`view ${await request.session.update('views', (n = 0) => n + 1)}`)
    })
    return app
  }

  it.each([
    [{}, 'view 1', /^__Host-session=/],
    [{ secure: false }, 'view 2', /^session=/],
  ])('are dropped by an agent of supertest: %j', async (cookie, second, name) => {
    const agent = supertest.agent(createApp(cookie))
    const first = await agent.get('/').expect('view 1')
    expect(first.headers['set-cookie']![0]).toMatch(name)
    await agent.get('/').expect(second)
  })

  it('are nothing to print under NODE_ENV=test, with no onEvent', async () => {
    expect(process.env['NODE_ENV']).toBe('test')
    const watch = watchConsole()
    await supertest(createApp({})).get('/').set('Host', 'shop.test').expect('view 1')
    expect(watch.stop()).toBe('')
  })
})

describe('the program for node --test', () => {
  it('passes', async () => {
    const args = ['--import', 'tsx', '--test', '--test-reporter=tap', 'test/recipes/testing/in-node.ts']
    // Left in, it would make the runner report to another one of its kind.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
    const { stdout } = await promisify(execFile)(process.execPath, args, { env })
    expect(stdout).toMatch(/^# pass 1\n# fail 0$/m)
  })
})
