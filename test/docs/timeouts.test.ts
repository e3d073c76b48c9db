import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createSessionManager, type SessionManager } from 'holdfast'
import { session } from 'holdfast/hono'
import { issueSession } from 'holdfast/testing'
import { createApp as createStreaming } from './timeouts/heartbeat.ts'
import { createApp as createPolled } from './timeouts/polling.ts'
import { manager as rollingManager, rolling } from './timeouts/rolling.ts'

const DAY = 86_400

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())
const pass = (seconds: number) => void vi.setSystemTime(Date.now() + seconds * 1000)

describe('polling.ts', () => {
  const start = async () => {
    const manager = createSessionManager<{ unread: number }>({ idleTimeout: 600 })
    const app = createPolled(manager)
    const cookie = await issueSession(manager, { unread: 3 }, { user: 'u1' })
    return (path: string) => app.request(path, { headers: { cookie } })
  }

  it('C6, S63: tells what is new, and lets the session run idle', async () => {
    const ask = await start()
    for (let minutes = 0; minutes < 9; minutes++) {
      expect(await (await ask('/unread')).json()).toEqual({ unread: 3 })
      pass(60)
    }
    pass(60)
    expect((await ask('/unread')).status).toBe(401)
  })

  it('goes on for as long as somebody uses other pages', async () => {
    const ask = await start()
    for (let minutes = 0; minutes < 20; minutes++) {
      expect((await ask('/unread')).status).toBe(200)
      if (minutes % 9 === 0) expect(await (await ask('/')).text()).toBe('u1')
      pass(60)
    }
  })
})

describe('heartbeat.ts', () => {
  let manager: SessionManager
  let url: string
  let close = () => {}
  beforeEach(async () => {
    manager = createSessionManager({ idleTimeout: 600 })
    const server = serve({ fetch: createStreaming(manager, 5).fetch, hostname: '127.0.0.1', port: 0 })
    if (!server.listening) await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    close = () => {
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
    }
  })
  afterEach(() => close())

  /** The events of a stream; done when it ends. */
  async function* eventsOf(cookie: string): AsyncGenerator<string> {
    const response = await fetch(`${url}/events`, { headers: { cookie } })
    expect(response.status).toBe(200)
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      yield* [...chunk.matchAll(/^event: (.+)$/gm)].map(([, name]) => name!)
    }
  }

  it('C6, S63: a stream keeps no session alive, and tells when it ran idle', async () => {
    const cookie = await issueSession(manager, {}, { user: 'u1' })
    const seen: string[] = []
    for await (const name of eventsOf(cookie)) {
      seen.push(name)
      if (seen.length === 3) pass(599)
      if (seen.length === 6) pass(1)
    }
    expect(seen.slice(0, 6)).toEqual(Array.from({ length: 6 }, () => 'heartbeat'))
    expect(seen.at(-1)).toBe('signed-out')
    // What an EventSource meets that connects again; it gives up.
    expect((await fetch(`${url}/events`, { headers: { cookie } })).status).toBe(401)
  })

  it('goes on while the session is used, and ends with a sign-out', async () => {
    const cookie = await issueSession(manager, {}, { user: 'u1' })
    const seen: string[] = []
    for await (const name of eventsOf(cookie)) {
      seen.push(name)
      if (seen.length === 3) {
        pass(599)
        expect(await (await fetch(url, { headers: { cookie } })).text()).toBe('u1')
        pass(599)
      }
      if (seen.length === 20) await manager.revokeAll('u1')
    }
    expect(seen.length).toBeGreaterThanOrEqual(20)
    expect(seen.at(-1)).toBe('signed-out')
  })
})

describe('rolling.ts', () => {
  it('counts thirty days from the last day of use, and writes once a day', async () => {
    const app = new Hono().use(session(rollingManager), rolling)
    app.get('/', (c) => c.text('a page'))
    const cookie = await issueSession(rollingManager, {}, { user: 'u1' })
    const ask = async () => (await app.request('/', { headers: { cookie } })).headers.getSetCookie()
    expect(await ask()).toEqual([])
    for (let month = 0; month < 6; month++) {
      pass(29 * DAY)
      expect(await ask()).toEqual([expect.stringContaining(`Max-Age=${30 * DAY};`)])
      pass(3600)
      expect(await ask()).toEqual([])
    }
    pass(30 * DAY)
    expect(await rollingManager.open(cookie).userId()).toBeUndefined()
  })
})
