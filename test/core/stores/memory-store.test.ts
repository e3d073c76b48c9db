import { describe, expect, it, vi } from 'vitest'
import { MemoryStore } from '../../../src/core/stores/memory-store.ts'
import type { StoreNotice } from '../../../src/core/stores/store.ts'
import { seeded } from '../../support/seeded.ts'

const bytes = Buffer.from('apples')

// What it shares with every other store is in store.test.ts.
describe('MemoryStore', () => {
  it('lets the least recently used record go when it is full', async () => {
    const store = new MemoryStore({ maxRecords: 3 })
    for (const key of ['a', 'b', 'c', 'd', 'e']) await store.add(key, bytes, 100)
    expect(store.size).toBe(3)
    const found = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => store.get(key, 100)))
    expect(found.map(Boolean)).toEqual([false, false, true, true, true])
  })

  it.each([100, undefined])('counts reading as use, with a time to live of %s', async (ttl) => {
    const store = new MemoryStore({ maxRecords: 2 })
    await store.add('read', bytes, 100)
    await store.add('unread', bytes, 100)
    await store.get('read', ttl)
    await store.add('new', bytes, 100)
    expect(await store.get('read', 100)).toBeDefined()
    expect(await store.get('unread', 100)).toBeUndefined()
  })

  it('counts writing as use, and a rewritten record once', async () => {
    const store = new MemoryStore({ maxRecords: 2 })
    const version = await store.add('replaced', bytes, 100)
    await store.add('old', bytes, 100)
    await store.replace('replaced', bytes, 100, version)
    await store.set('replaced', bytes, 100)
    expect(store.size).toBe(2)
    await store.set('new', bytes, 100)
    expect(await store.get('replaced', 100)).toBeDefined()
    expect(await store.get('old', 100)).toBeUndefined()
  })

  it('stays within its bound under a stream of new records', async () => {
    const store = new MemoryStore({ maxRecords: 100 })
    for (let index = 0; index < 10_000; index++) await store.add(String(index), bytes, 100)
    expect(store.size).toBe(100)
  })

  it('lets go exactly what a list would that is kept in the order of use', async () => {
    const store = new MemoryStore({ maxRecords: 300 })
    const used: string[] = []
    const use = (key: string) => {
      const place = used.indexOf(key)
      if (place >= 0) used.splice(place, 1)
      used.push(key)
      if (used.length > 300) used.shift()
    }
    const random = seeded(7)
    for (let step = 0; step < 5000; step++) {
      const key = `key-${Math.floor(random() * 500)}`
      const chance = random()
      if (chance < 0.1) {
        await store.delete(key)
        if (used.includes(key)) used.splice(used.indexOf(key), 1)
      } else if (chance < 0.4) {
        expect((await store.get(key, 100)) !== undefined).toBe(used.includes(key))
        if (used.includes(key)) use(key)
      } else {
        await store.set(key, bytes, 100)
        use(key)
      }
    }
    expect(store.size).toBe(used.length)
    for (const key of used) expect(await store.get(key, 100)).toBeDefined()
  })

  it('K3: tells that it forgets live records, how many and since when, at most once a minute', async () => {
    let now = 1_000_000
    const told: StoreNotice[] = []
    const store = new MemoryStore({ maxRecords: 2, now: () => now })
    let keys = 0
    const add = async (count: number, ttl = 10_000) => {
      for (let done = 0; done < count; done++) await store.add(String(keys++), bytes, ttl)
    }
    await add(3)
    store.watch(() => {
      throw new Error('a listener')
    })
    store.watch((notice) => told.push(notice))
    expect(told).toEqual([])
    await add(5)
    const first = { type: 'server-evicting', server: 'MemoryStore', count: 1, since: 1_000_000 }
    expect(told).toEqual([first])
    now += 59_999
    await add(1)
    expect(told).toEqual([first])
    now += 1
    await add(1)
    const second = { ...first, count: 6 }
    expect(told).toEqual([first, second])
    now += 600_000
    await add(2)
    expect(told).toEqual([first, second, { ...first, count: 1, since: 1_060_000 }])
  })

  it('K3: tells nothing of records that had run out, or were deleted', async () => {
    let now = 1_000_000
    const told: StoreNotice[] = []
    const store = new MemoryStore({ maxRecords: 2, now: () => now })
    store.watch((notice) => told.push(notice))
    await store.add('a', bytes, 10)
    await store.add('b', bytes, 10)
    now += 10_000
    await store.add('c', bytes, 10)
    await store.add('d', bytes, 10)
    await store.delete('c')
    await store.add('e', bytes, 10)
    expect(told).toEqual([])
    await store.add('f', bytes, 10)
    expect(told).toHaveLength(1)
  })

  it('is full at 100 000 unless told otherwise', async () => {
    const store = new MemoryStore()
    const empty = new Uint8Array()
    for (let index = 0; index <= 100_000; index++) await store.set(String(index), empty, 100)
    expect(store.size).toBe(100_000)
  })

  it('goes by the clock it is given, to the millisecond', async () => {
    let now = 1_000_000
    const store = new MemoryStore({ now: () => now })
    await store.add('key', bytes, 10)
    now += 9_999
    expect(await store.get('key', 10)).toBeDefined()
    now += 10_000
    expect(await store.get('key', 10)).toBeUndefined()
    expect(store.size).toBe(0)
  })

  it('lets a record that is read without a time to live run out when it would have, to the millisecond', async () => {
    let now = 1_000_000
    const store = new MemoryStore({ now: () => now })
    await store.add('key', bytes, 10)
    now += 9_999
    expect(await store.get('key', undefined)).toBeDefined()
    now += 1
    expect(await store.get('key', undefined)).toBeUndefined()
    expect(store.size).toBe(0)
  })

  it('starts no timer', async () => {
    const timers = [vi.spyOn(globalThis, 'setTimeout'), vi.spyOn(globalThis, 'setInterval')]
    const store = new MemoryStore()
    const version = await store.add('key', bytes, 100)
    await store.get('key', 100)
    await store.replace('key', bytes, 100, version)
    await store.set('key', bytes, 100)
    await store.delete('key')
    for (const timer of timers) {
      expect(timer).not.toHaveBeenCalled()
      timer.mockRestore()
    }
  })

  it.each([0, -1, 1.5, NaN, Infinity, '10', null])('refuses maxRecords: %j', (maxRecords) => {
    const kind = typeof maxRecords === 'number' ? RangeError : TypeError
    const got = typeof maxRecords === 'number' ? maxRecords : JSON.stringify(maxRecords)
    expect(() => new MemoryStore({ maxRecords: maxRecords as number })).toThrow(
      new kind(`maxRecords: expected a whole number of 1 or more, got ${got}`),
    )
  })

  it.each([
    [null, 'expected a plain object, got null'],
    [1000, 'expected a plain object, got a number'],
    [Promise.resolve({}), 'expected a plain object, got a promise; await it'],
    [new Map(), 'expected a plain object, got an instance of Map'],
    [{ max: 5 }, 'expected maxRecords, now; got max'],
  ])('L1: refuses other options: %j', (options, message) => {
    const refused = new TypeError(`MemoryStore: ${message}`)
    expect(() => new MemoryStore(options as object)).toThrow(refused)
  })

  it('refuses a clock that is no function', () => {
    const now = 1_000_000 as unknown as () => number
    expect(() => new MemoryStore({ now })).toThrow(TypeError)
    expect(() => new MemoryStore({ now })).toThrow('now: expected a function, got 1000000')
  })
})
