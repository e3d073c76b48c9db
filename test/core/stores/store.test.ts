import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sessionStoreContract } from 'holdfast/testing'
import { MemcachedStore } from '../../../src/core/stores/memcached/memcached-store.ts'
import { MemoryStore } from '../../../src/core/stores/memory-store.ts'
import type { SessionStore } from '../../../src/core/stores/store.ts'
import { startMemcached, type Memcached } from '../../support/memcached.ts'
import { stores } from '../../support/stores.ts'

let lastKey = 0
function newKey(): string {
  return String(++lastKey).padStart(43, 'k')
}

const apples = Buffer.from('apples')

describe('MemoryStore keeps the contract:', () => {
  let now = Date.now()
  const open = () => new MemoryStore({ now: () => now })
  const advance = (seconds: number) => (now += seconds * 1000)
  for (const { name, run } of sessionStoreContract(open, { advance })) it(name, run)
})

describe('MemcachedStore', () => {
  let server: Memcached
  let store: SessionStore
  // Longer than by default: dozens of cases, a million bytes among them, ask at once.
  const open = () => new MemcachedStore({ servers: server.address, operationTimeoutMs: 3000 })
  beforeAll(async () => {
    server = await startMemcached()
    store = open()
  })
  afterAll(async () => {
    await store.close?.()
    await server.stop()
  })

  // At the same time, since some of them wait for memcached's clock.
  describe.concurrent('keeps the contract:', () => {
    for (const { name, run } of sessionStoreContract(open)) it(name, run)
  })

  /** What memcached itself says is left, in seconds. */
  async function remaining(key: string): Promise<number> {
    return Number(/^HD t(-?\d+)/.exec(await server.text(`mg session:${key} t`))?.[1])
  }

  it('C1: restarts the time to live with every read', async () => {
    const [read, unread, shortened] = [newKey(), newKey(), newKey()]
    await store.add(read, apples, 100)
    await store.add(unread, apples, 100)
    await store.add(shortened, apples, 1000)
    await store.get(read, 1000)
    await store.get(shortened, 100)
    expect(await remaining(read)).toBeCloseTo(1000, -1)
    expect(await remaining(unread)).toBeCloseTo(100, -1)
    expect(await remaining(shortened)).toBeCloseTo(100, -1)
  })

  it('leaves the time to live alone where a read comes without one', async () => {
    const [written, shortened] = [newKey(), newKey()]
    await store.add(written, apples, 1000)
    await store.add(shortened, apples, 1000)
    await store.get(shortened, 100)
    for (const key of [written, shortened]) expect(await store.get(key, undefined)).toBeDefined()
    expect(await remaining(written)).toBeCloseTo(1000, -1)
    expect(await remaining(shortened)).toBeCloseTo(100, -1)
  })

  it('C3: every write brings its own time to live', async () => {
    const [set, replaced] = [newKey(), newKey()]
    const version = await store.add(replaced, apples, 1000)
    await store.set(set, apples, 1000)
    await store.set(set, apples, 100)
    await store.replace(replaced, apples, 100, version)
    for (const key of [set, replaced]) expect(await remaining(key)).toBeCloseTo(100, -1)
  })

  it('M7: a time to live of more than 30 days lasts', async () => {
    const day = 24 * 60 * 60
    for (const ttl of [30 * day, 30 * day + 1, 400 * day]) {
      const key = newKey()
      await store.add(key, apples, ttl)
      expect(await remaining(key)).toBeCloseTo(ttl, -1)
      await store.get(key, ttl)
      expect(await remaining(key)).toBeCloseTo(ttl, -1)
    }
  })
})

describe.each(stores)('$name', ({ open }) => {
  const store = open()

  it.each([0, -1, NaN, 1.5, Infinity, '60', null])(
    'says what is wrong with a time to live of %s',
    async (ttl) => {
      const { current } = store
      const key = newKey()
      const version = await current.add(key, apples, 100)
      const kind = typeof ttl === 'number' ? RangeError : TypeError
      const refused = ttl as number
      const outcomes = await Promise.allSettled([
        current.get(key, refused),
        current.set(key, apples, refused),
        current.replace(key, apples, refused, version),
        current.add(newKey(), apples, refused),
      ])
      for (const outcome of outcomes) {
        expect(outcome).toEqual({ status: 'rejected', reason: expect.any(kind) })
        const { message } = (outcome as PromiseRejectedResult).reason as Error
        expect(message).toContain('ttl: expected whole seconds of 1 or more, got ')
      }
    },
  )

  it('takes no write without a time to live', async () => {
    const { current } = store
    const key = newKey()
    const version = await current.add(key, apples, 100)
    const none = undefined as unknown as number
    const outcomes = await Promise.allSettled([
      current.set(key, apples, none),
      current.replace(key, apples, none, version),
      current.add(newKey(), apples, none),
    ])
    for (const outcome of outcomes)
      expect(outcome).toEqual({ status: 'rejected', reason: expect.any(TypeError) })
    expect(await current.get(key, undefined)).toMatchObject({ version })
  })
})
