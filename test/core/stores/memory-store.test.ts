import { describe, expect, it, vi } from 'vitest'
import { MemoryStore } from '../../../src/core/stores/memory-store.ts'

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
