import { describe, expect, it } from 'vitest'
import {
  MemoryStore,
  StoreUnavailableError,
  type EndReason,
  type SessionEvent,
  type SessionStore,
  type StoreNotice,
} from '../../src/core/index.ts'
import { createBench, type Bench } from '../support/managers.ts'
import { failing } from '../support/tampered-store.ts'
import { tokenOf, visit } from '../support/visit.ts'

type Caused = Exclude<SessionEvent['type'], 'unknown' | 'cookie-header-too-long'>

/** How each event comes about for a visitor who is signed in; a new type without a line here does not compile. */
const causes: Record<Caused, (bench: Bench, cookie: string) => unknown> = {
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
  'server-down': noticing('server-down'),
  'server-up': noticing('server-up'),
  'server-restarted': noticing('server-restarted'),
  'server-flushed': noticing('server-flushed'),
  async 'server-evicting'({ another, manager }, cookie) {
    await visit(manager, cookie, (session) => session.get('user'))
    const full = another({ store: new MemoryStore({ maxRecords: 1 }) })
    await visit(full, undefined, (session) => session.set('user', 'telling'))
    await visit(full, undefined, (session) => session.set('user', 'telling'))
  },
}

/** By a store that tells of it; how it finds out is tested with each store. */
function noticing(type: StoreNotice['type']): (bench: Bench, cookie: string) => unknown {
  return ({ another, store }, cookie) => {
    const watch: SessionStore['watch'] = (listener) => listener({ type, server: '127.0.0.1:11211' })
    const manager = another({ store: Object.assign(store, { watch }) })
    return visit(manager, cookie, (session) => session.get('user'))
  }
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
        if (name === 'type') expect(Object.keys(causes)).toContain(value)
        else if (name === 'reason') expect([event.type, value]).toEqual(['ended', 'signed-out'])
        else if (name === 'server') expect(value).toMatch(/^(127\.0\.0\.1:11211|MemoryStore)$/)
        else
          expect([name, value]).toEqual([
            expect.stringMatching(/^(at|durationMs|roundTrips|count|since)$/),
            expect.any(Number),
          ])
      }
      expect(error instanceof StoreUnavailableError).toBe(event.type === 'store-error')
      expect('reason' in event).toBe(event.type === 'ended')
      const told =
        error instanceof Error ? `${error.stack} ${JSON.stringify(error)} ${String(error.cause)}` : ''
      for (const secretText of [tokenOf(cookie), ...bench.store.keys, 'telling']) {
        expect(told).not.toContain(secretText)
      }
    }
  })

  it.each(
    [
      ['created', 'loaded', 'saved', 'regenerated', 'signed-in', 'destroyed'],
      ['revoked', 'expired', 'ended', 'missing'],
    ].flat() as Caused[],
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
