import { describe, expect, it, vi } from 'vitest'
import {
  MemoryStore,
  sessionEventTypes,
  StoreUnavailableError,
  type EndReason,
  type SessionEvent,
  type SessionStore,
  type StoreNotice,
} from '../../src/core/index.ts'
import { watchConsole } from '../support/console-watch.ts'
import { createBench, type Bench } from '../support/managers.ts'
import { failing } from '../support/tampered-store.ts'
import { tokenOf, visit } from '../support/visit.ts'

/** How each event comes about for a visitor who is signed in; a new type without a line here does not compile. */
const causes: Record<SessionEvent['type'], (bench: Bench, cookie: string) => unknown> = {
  created: ({ manager }) => visit(manager, undefined, (session) => session.set('user', 'telling')),
  loaded: ({ manager }, cookie) => visit(manager, cookie, (session) => session.get('user')),
  saved: ({ manager }, cookie) => visit(manager, cookie, (session) => session.set('user', 'telling too')),
  regenerated: ({ manager }, cookie) => visit(manager, cookie, (session) => session.regenerateId()),
  'signed-in': ({ manager }, cookie) =>
    visit(manager, cookie, (session) => session.signIn('telling', { label: 'telling' })),
  destroyed: ({ manager }, cookie) => visit(manager, cookie, (session) => session.destroy()),
  async revoked({ manager }, cookie) {
    await visit(manager, cookie, (session) => session.signIn('telling'))
    await manager.revokeAll('telling')
  },
  async expired({ manager, clock }, cookie) {
    clock.ms += 1_209_600_000
    await visit(manager, cookie, (session) => session.get('user'))
  },
  async ended({ manager }, cookie) {
    await visit(manager, cookie, (session) => session.destroy())
    await visit(manager, cookie, (session) => session.get('user'))
  },
  async unknown({ manager, store }, cookie) {
    await visit(manager, cookie, (session) => session.get('user'))
    await store.delete(store.keys[0]!)
    await visit(manager, cookie, (session) => session.get('user'))
  },
  missing: ({ manager, store }, cookie) =>
    visit(manager, cookie, async (session) => {
      await session.get('user')
      await store.delete(store.keys[0]!)
      session.set('user', 'telling too')
    }),
  async invalid({ manager, store }, cookie) {
    await visit(manager, cookie, (session) => session.get('user'))
    await store.set(store.keys[0]!, new Uint8Array(100), 60)
    await visit(manager, cookie, (session) => session.get('user'))
  },
  dropped: ({ manager }, cookie) =>
    visit(manager, cookie, (session) => session.update('user', (user) => `${user} too`), { status: 500 }),
  conflict: ({ manager, another }, cookie) =>
    visit(manager, cookie, async (session) => {
      await session.get('user')
      await visit(another(), cookie, (other) => other.set('cart', 'telling too'))
      session.set('user', 'telling too')
    }),
  async 'duplicate-cookie'({ manager }, cookie) {
    const { cookie: other } = await visit(manager, undefined, (session) => session.set('user', 'telling'))
    await visit(manager, `${cookie}; ${other}`, (session) => session.get('user'))
  },
  'cookie-lost': ({ manager }, cookie) =>
    visit(manager, cookie, (session) => session.regenerateId(), {}, { canSetHeaders: () => false }),
  async 'cookie-header-too-long'({ manager }, cookie) {
    await visit(manager, cookie, (session) => session.get('user'))
    await visit(manager, `telling=${'x'.repeat(16_384)}; ${cookie}`, (session) => session.get('user'))
  },
  'insecure-cookie': ({ manager }, cookie) =>
    visit(manager, cookie, (session) => session.regenerateId(), { url: 'http://shop.example/' }),
  'cache-overridden': ({ manager }, cookie) =>
    visit(manager, cookie, (session) => session.regenerateId(), {
      headers: new Headers({ 'Cache-Control': 'public' }),
    }),
  async 'store-error'({ manager, store }, cookie) {
    store.before = failing('get')
    await expect(manager.open(cookie).get('user')).rejects.toThrow(StoreUnavailableError)
  },
  'server-down': (bench, cookie) =>
    notice(bench, cookie, { type: 'server-down', server, error: new StoreUnavailableError('get', 'why') }),
  'server-up': (bench, cookie) => notice(bench, cookie, { type: 'server-up', server }),
  'server-restarted': (bench, cookie) => notice(bench, cookie, { type: 'server-restarted', server }),
  'server-flushed': (bench, cookie) => notice(bench, cookie, { type: 'server-flushed', server }),
  'server-evicting': (bench, cookie) =>
    notice(bench, cookie, { type: 'server-evicting', server, count: 12, since: 1_750_000_000_000 }),
}

const server = '10.0.0.1:11200'

/** A manager on a store that has something to tell of its servers, and a visit. */
async function notice({ another, store }: Bench, cookie: string, told: StoreNotice): Promise<void> {
  const memory: SessionStore = store
  const watched: SessionStore = Object.create(memory, { watch: { value: watch } })
  function watch(listener: (notice: StoreNotice) => void) {
    queueMicrotask(() => listener(told))
  }
  await visit(another({ store: watched }), cookie, (session) => session.get('user'))
}

/** What is said of it without an `onEvent`; of all else nothing. */
const said: Partial<Record<SessionEvent['type'], RegExp>> = {
  'store-error': /did not answer \(get\): tampered with; .* 503$/,
  invalid: /could not be opened, and counts as none: is a secret missing/,
  'cookie-lost': /could not be sent or cleared, since the head of the response had left/,
  'insecure-cookie': /over plain http, where browsers drop it, .*: serve https, .* X-Forwarded-Proto/,
  'server-down': /server 10\.0\.0\.1:11200 is down \(.*\(get\)\): sessions on it are answered 503 until/,
  'server-up': /server 10\.0\.0\.1:11200 answers again$/,
  'server-restarted': /server 10\.0\.0\.1:11200 was restarted .* sign in again$/,
  'server-flushed': /server 10\.0\.0\.1:11200 was flushed: .* find who did it/,
  'server-evicting': /server 10\.0\.0\.1:11200 is full .* 12 records since 2025-06-15T15:06:40\.000Z: /,
}

describe('events', () => {
  it.each(Object.entries(causes))('S58: %s is told, with no token, key or data', async (type, cause) => {
    const memory = new MemoryStore()
    const bench = createBench({ current: memory, countRecords: async () => memory.size })
    const cookie = await bench.begin({ user: 'telling' })
    await cause(bench, cookie)
    expect(bench.events()).toContain(type)
    expect(bench.store.keys.length).toBeGreaterThan(0)
    for (const event of bench.lastEvents) {
      const { error, ...rest } = event
      for (const [name, value] of Object.entries(rest)) {
        if (name === 'type') expect(sessionEventTypes).toContain(value)
        else if (name === 'server')
          expect([event.type, value]).toEqual([expect.stringMatching('^server-'), server])
        else if (name === 'count' || name === 'since') expect(event.type).toBe('server-evicting')
        else if (name === 'reason') expect([event.type, value]).toEqual(['ended', 'signed-out'])
        else
          expect([name, value]).toEqual([
            expect.stringMatching(/^(at|durationMs|roundTrips|count|since)$/),
            expect.any(Number),
          ])
      }
      const mayFail = event.type === 'store-error' || event.type === 'server-down'
      expect(error instanceof StoreUnavailableError).toBe(mayFail)
      expect('reason' in event).toBe(event.type === 'ended')
      const told =
        error instanceof Error ? `${error.stack} ${JSON.stringify(error)} ${String(error.cause)}` : ''
      for (const secretText of [tokenOf(cookie), ...bench.store.keys, 'telling']) {
        expect(told).not.toContain(secretText)
      }
    }
  })

  it.each(Object.entries(causes))('K2, S57: of %s what must be known is said, and nothing of the visitor', async (type, cause) => {
    const memory = new MemoryStore()
    const bench = createBench({ current: memory, countRecords: async () => memory.size }, { onEvent: undefined })
    const cookie = await bench.begin({ user: 'telling' })
    vi.stubEnv('NODE_ENV', 'development')
    const watch = watchConsole()
    await cause(bench, cookie)
    const written = watch.stop()
    vi.unstubAllEnvs()
    expect(bench.lastEvents).toEqual([])
    const sentence = said[type as SessionEvent['type']]
    if (!sentence) expect(written).toBe('')
    else {
      expect(written).toMatch(/^holdfast: [^\n]+(\n|$)/)
      expect(written).toMatch(new RegExp(sentence, 'm'))
    }
    for (const secretText of [tokenOf(cookie), ...bench.store.keys, 'telling']) {
      expect(written).not.toContain(secretText)
    }
  }) // prettier-ignore

  it.each(
    [
      ['created', 'loaded', 'saved', 'regenerated', 'signed-in', 'destroyed'],
      ['revoked', 'expired', 'ended', 'unknown', 'missing'],
    ].flat() as SessionEvent['type'][],
  )('S58: %s says how long the load or the commit took, and how many round trips', async (type) => {
    const memory = new MemoryStore()
    const bench = createBench({ current: memory, countRecords: async () => memory.size })
    await causes[type](bench, await bench.begin({ user: 'telling' }))
    const event = bench.lastEvents.find((each) => each.type === type)
    expect(event?.durationMs).toBeGreaterThanOrEqual(0)
    expect(event?.roundTrips).toBeGreaterThan(0)
  })

  it.each<[EndReason, (bench: Bench, cookie: string) => unknown]>([
    ['signed-out', ({ manager }, cookie) => visit(manager, cookie, (session) => session.destroy())],
    ['regenerated', ({ manager }, cookie) => visit(manager, cookie, (session) => session.regenerateId())],
    ['revoked', ({ manager }) => manager.revokeAll('u1')],
    ['mark-lost', ({ store }) => store.delete(store.keys[1]!)],
  ])('S58: ended is told with its reason: %s', async (reason, end) => {
    const memory = new MemoryStore()
    const bench = createBench({ current: memory, countRecords: async () => memory.size })
    const { cookie } = await visit(bench.manager, undefined, (session) => session.signIn('u1'))
    await end(bench, cookie)
    bench.lastEvents.length = 0
    await visit(bench.manager, cookie, (session) => session.exists())
    expect(bench.lastEvents).toEqual([expect.objectContaining({ type: 'ended', reason })])
  })
})
