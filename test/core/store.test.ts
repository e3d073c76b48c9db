import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MemcachedStore } from '../../src/core/memcached/memcached-store.ts'
import { MemoryStore } from '../../src/core/memory-store.ts'
import type { SessionStore, Version } from '../../src/core/store.ts'
import { startMemcached } from '../support/memcached.ts'

interface Subject {
  store: SessionStore
  /** Whether the record will still be there in so many seconds, if nobody reads it. May use the record up. */
  lasts(key: string, seconds: number): Promise<boolean>
  /** Resolves once a record with a time to live of 1 s has run out. */
  runOut(key: string): Promise<void>
  end(): Promise<void>
}

async function memory(): Promise<Subject> {
  let now = Date.now()
  const store = new MemoryStore({ now: () => now })
  return {
    store,
    async lasts(key, seconds) {
      now += seconds * 1000
      return (await store.get(key, 1)) !== undefined
    },
    async runOut() {
      now += 1000
    },
    async end() {},
  }
}

async function memcached(): Promise<Subject> {
  const server = await startMemcached()
  const store = new MemcachedStore(server.address)
  return {
    store,
    async lasts(key, seconds) {
      const remaining = /^HD t(-?\d+)/.exec(await server.text(`mg session:${key} t`))?.[1]
      return remaining !== undefined && (remaining === '-1' || Number(remaining) > seconds)
    },
    async runOut(key) {
      // A look that does not touch; memcached's clock has whole seconds, so 1 s may take up to 2.
      for (let tries = 0; tries < 150; tries++) {
        if ((await server.text(`mg session:${key}`)).startsWith('EN')) return
        await sleep(20)
      }
      throw new Error('the record is still there after 3 s')
    },
    async end() {
      await store.close()
      await server.stop()
    },
  }
}

let lastKey = 0
function newKey(): string {
  return String(++lastKey).padStart(43, 'k')
}

const apples = Buffer.from('apples')
const pears = Buffer.from('pears')

describe.each([
  ['MemoryStore', memory],
  ['MemcachedStore', memcached],
])('%s', (_, start) => {
  let subject: Subject
  let store: SessionStore
  beforeAll(async () => {
    subject = await start()
    store = subject.store
  })
  afterAll(() => subject.end())

  async function added(key: string, bytes: Uint8Array = apples, ttl = 100): Promise<Version> {
    const version = await store.add(key, bytes, ttl)
    expect(version).toBeDefined()
    return version
  }

  async function stored(key: string): Promise<string | undefined> {
    const record = await store.get(key, 100)
    return record && Buffer.from(record.bytes).toString('latin1')
  }

  it('finds nothing where nothing was written', async () => {
    expect(await store.get(newKey(), 100)).toBeUndefined()
  })

  it('gives back what was added, with its version', async () => {
    const key = newKey()
    const version = await added(key)
    expect(await store.get(key, 100)).toEqual({ bytes: new Uint8Array(apples), version })
  })

  it('does not add where something is, and leaves that alone', async () => {
    const key = newKey()
    const version = await added(key)
    expect(await store.add(key, pears, 100)).toBeUndefined()
    expect(await store.get(key, 100)).toEqual({ bytes: new Uint8Array(apples), version })
  })

  it('replaces at the version it was given, and moves on to a new one', async () => {
    const key = newKey()
    const version = await added(key)
    const replaced = await store.replace(key, pears, 100, version)
    expect(replaced.outcome).toBe('replaced')
    const { version: newer } = replaced as { version: Version }
    expect(newer).not.toEqual(version)
    expect(await store.get(key, 100)).toEqual({ bytes: new Uint8Array(pears), version: newer })
    expect(await store.replace(key, apples, 100, newer)).toMatchObject({ outcome: 'replaced' })
  })

  it('calls a replace at an older version a conflict, and changes nothing', async () => {
    const key = newKey()
    const version = await added(key)
    await store.replace(key, pears, 100, version)
    expect(await store.replace(key, apples, 100, version)).toEqual({ outcome: 'conflict' })
    expect(await stored(key)).toBe('pears')
  })

  it('calls a replace of nothing missing, and makes nothing', async () => {
    const key = newKey()
    const version = await added(key)
    await store.delete(key)
    expect(await store.replace(key, pears, 100, version)).toEqual({ outcome: 'missing' })
    expect(await stored(key)).toBeUndefined()
  })

  it('lets exactly one of many replaces at one version win', async () => {
    const key = newKey()
    const version = await added(key)
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, index) => store.replace(key, Buffer.from([index]), 100, version)),
    )
    const winners = outcomes.flatMap(({ outcome }, index) => (outcome === 'replaced' ? [index] : []))
    expect(winners).toHaveLength(1)
    expect(outcomes.filter(({ outcome }) => outcome === 'conflict')).toHaveLength(49)
    expect((await store.get(key, 100))!.bytes[0]).toBe(winners[0])
  })

  it('lets exactly one of many adds win', async () => {
    const key = newKey()
    const versions = await Promise.all(Array.from({ length: 50 }, () => store.add(key, apples, 100)))
    expect(versions.filter((version) => version !== undefined)).toHaveLength(1)
  })

  it('keeps the version when a record is read, and when its time to live is set', async () => {
    const key = newKey()
    const version = await added(key)
    await store.get(key, 1000)
    await store.get(key, 10)
    expect(await store.replace(key, pears, 100, version)).toMatchObject({ outcome: 'replaced' })
  })

  it('sets whether or not something is there, and makes it a conflict for those who read before', async () => {
    const key = newKey()
    await store.set(key, apples, 100)
    const { version } = (await store.get(key, 100))!
    await store.set(key, pears, 100)
    expect(await stored(key)).toBe('pears')
    expect(await store.replace(key, apples, 100, version)).toEqual({ outcome: 'conflict' })
  })

  it('deletes, and is content when there is nothing to delete', async () => {
    const key = newKey()
    await added(key)
    await store.delete(key)
    expect(await stored(key)).toBeUndefined()
    await store.delete(key)
  })

  it('C1: restarts the time to live with every read', async () => {
    const [read, unread, shortened] = [newKey(), newKey(), newKey()]
    await added(read, apples, 100)
    await added(unread, apples, 100)
    await added(shortened, apples, 1000)
    await store.get(read, 1000)
    await store.get(shortened, 100)
    expect(await subject.lasts(read, 500)).toBe(true)
    expect(await subject.lasts(unread, 500)).toBe(false)
    expect(await subject.lasts(shortened, 500)).toBe(false)
  })

  it('C3: every write brings its own time to live', async () => {
    const [set, replaced] = [newKey(), newKey()]
    const version = await added(replaced, apples, 1000)
    await store.set(set, apples, 1000)
    await store.set(set, apples, 100)
    await store.replace(replaced, apples, 100, version)
    for (const key of [set, replaced]) expect(await subject.lasts(key, 500)).toBe(false)
  })

  it('M7: a time to live of more than 30 days lasts', async () => {
    const day = 24 * 60 * 60
    for (const [ttl, shorter] of [
      [30 * day, 29 * day],
      [30 * day + 1, 29 * day],
      [400 * day, 399 * day],
    ] as const) {
      const key = newKey()
      await added(key, apples, ttl)
      expect(await stored(key)).toBe('apples')
      await store.get(key, ttl)
      expect(await subject.lasts(key, shorter)).toBe(true)
    }
  })

  it('has nothing left of a record that ran out', async () => {
    const [got, replaced, addedAgain] = [newKey(), newKey(), newKey()]
    await added(got, apples, 1)
    const version = await added(replaced, apples, 1)
    await added(addedAgain, apples, 1)
    for (const key of [got, replaced, addedAgain]) await subject.runOut(key)
    expect(await store.get(got, 100)).toBeUndefined()
    expect(await store.replace(replaced, pears, 100, version)).toEqual({ outcome: 'missing' })
    expect(await store.add(addedAgain, pears, 100)).toBeDefined()
  })

  it.each([0, -1, NaN, 1.5, Infinity, '60'])(
    'refuses a time to live of %s, and writes nothing',
    async (ttl) => {
      const key = newKey()
      const version = await added(key)
      const refused = ttl as number
      const kind = typeof ttl === 'number' ? RangeError : TypeError
      await expect(store.get(key, refused)).rejects.toThrow(kind)
      await expect(store.set(key, pears, refused)).rejects.toThrow(kind)
      await expect(store.replace(key, pears, refused, version)).rejects.toThrow(kind)
      await expect(store.add(newKey(), pears, refused)).rejects.toThrow(kind)
      expect(await stored(key)).toBe('apples')
    },
  )

  it('keeps every byte there is', async () => {
    const key = newKey()
    const all = Uint8Array.from({ length: 256 }, (_, index) => index)
    const version = await added(key, all)
    expect((await store.get(key, 100))!.bytes).toEqual(all)
    await store.replace(key, all.toReversed(), 100, version)
    expect((await store.get(key, 100))!.bytes).toEqual(all.toReversed())
  })

  it('keeps a window on a larger buffer as just that window', async () => {
    const key = newKey()
    await added(key, new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 4))
    expect((await store.get(key, 100))!.bytes).toEqual(new Uint8Array([2, 3, 4]))
  })

  it('keeps an empty record, which is not a missing one', async () => {
    const key = newKey()
    const version = await added(key, new Uint8Array())
    expect(await store.get(key, 100)).toEqual({ bytes: new Uint8Array(), version })
  })

  it('keeps a record of the largest size', async () => {
    const key = newKey()
    const large = Buffer.alloc(store.maxBytes ?? 1_000_000, 'large')
    await added(key, large)
    expect(large.equals((await store.get(key, 100))!.bytes)).toBe(true)
  })

  it('keeps a copy of the bytes it is given', async () => {
    const [first, second, third] = [newKey(), newKey(), newKey()]
    const bytes = Buffer.from('apples')
    const version = await added(second, pears)
    const writes = [
      store.add(first, bytes, 100),
      store.replace(second, bytes, 100, version),
      store.set(third, bytes, 100),
    ]
    bytes.fill('x')
    await Promise.all(writes)
    for (const key of [first, second, third]) expect(await stored(key)).toBe('apples')
  })

  it('hands out a copy of the bytes it keeps', async () => {
    const key = newKey()
    await added(key, Buffer.from('apples'))
    const [one, other] = await Promise.all([store.get(key, 100), store.get(key, 100)])
    one!.bytes.fill(0)
    expect(Buffer.from(other!.bytes).toString()).toBe('apples')
    expect(await stored(key)).toBe('apples')
  })

  it('keeps neighbouring keys apart', async () => {
    const [one, other] = [newKey(), newKey()]
    await added(one, apples)
    await added(other, pears)
    await store.delete(one)
    expect(await stored(one)).toBeUndefined()
    expect(await stored(other)).toBe('pears')
  })
})
