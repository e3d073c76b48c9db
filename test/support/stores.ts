import { afterAll, beforeAll } from 'vitest'
import { MemoryStore, type SessionStore } from '../../src/core/index.ts'
import { MemcachedStore } from '../../src/core/stores/memcached/memcached-store.ts'
import { startMemcached, type Memcached } from './memcached.ts'

export const secret = 'a secret of the tests, long enough to be taken for one'

/** Both stores, for `describe.each`; call `open` in the body of the `describe`. */
export const stores = [
  { name: 'MemoryStore', open: openMemoryStore },
  { name: 'MemcachedStore', open: openMemcachedStore },
]

export interface OpenStore {
  /** The store, once `beforeAll` has run. */
  current: SessionStore
  countRecords(): Promise<number>
}

function openMemoryStore(): OpenStore {
  const store = new MemoryStore()
  return { current: store, countRecords: async () => store.size }
}

/** On a memcached of its own. */
export function openMemcachedStore(): OpenStore & {
  /** What a record has left to live, as memcached counts it. */
  secondsLeft(key: string): Promise<number>
} {
  let server: Memcached
  const open = {
    current: undefined as unknown as SessionStore,
    secondsLeft: async (key: string) => Number(/t(\d+)/.exec(await server.text(`mg session:${key} t`))?.[1]),
    countRecords: async () => Number(/STAT curr_items (\d+)/.exec(await server.text('stats'))?.[1]),
  }
  beforeAll(async () => {
    server = await startMemcached()
    open.current = new MemcachedStore(server.address)
  })
  afterAll(async () => {
    await open.current.close?.()
    await server.stop()
  })
  return open
}
