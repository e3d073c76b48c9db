import { afterAll, beforeAll } from 'vitest'
import { MemoryStore, type SessionStore } from '../../src/core/index.ts'
import { MemcachedStore } from '../../src/core/stores/memcached/memcached-store.ts'
import { startMemcached, type Memcached } from './memcached.ts'
import { startRedis, type RedisServerProcess } from './redis.ts'
import { isRedisAlone, onNodeRedis, onRedis, type StoreKind } from './store-servers.ts'

export const secret = 'a secret of the tests, long enough to be taken for one'

/** There `npm test` leaves them to `npm run test:redis`: they take seconds. */
const isOnBun = process.versions['bun'] !== undefined

const OVER_REDIS = [
  { name: 'RedisStore', open: () => openRedisStore(onRedis) },
  { name: 'RedisStore over node-redis', open: () => openRedisStore(onNodeRedis) },
]

const OVER_MEMCACHED = { name: 'MemcachedStore', open: openMemcachedStore }

/** Those that ask a server. */
export const serverStores = isRedisAlone
  ? OVER_REDIS
  : [OVER_MEMCACHED, ...(isOnBun ? [] : OVER_REDIS.slice(0, 1))]

/**
 * All stores, for `describe.each`; call `open` in the body of the `describe`. By `npm run test:redis` those over Redis.
 */
export const stores = isRedisAlone
  ? OVER_REDIS
  : [{ name: 'MemoryStore', open: openMemoryStore }, ...serverStores]

export interface OpenStore {
  /** The store, once `beforeAll` has run. */
  current: SessionStore
  countRecords(): Promise<number>
}

export function openMemoryStore(): OpenStore {
  const store = new MemoryStore()
  return { current: store, countRecords: async () => store.size }
}

/** On a server of its own. */
export interface OpenServerStore extends OpenStore {
  /** What a record has left to live, as the server counts it. */
  secondsLeft(key: string): Promise<number>
}

export function openMemcachedStore(): OpenServerStore {
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

export function openRedisStore(kind: StoreKind = onRedis): OpenServerStore {
  let server: RedisServerProcess
  const numberIn = async (...command: string[]) =>
    Number(/^:(-?\d+)/.exec(await server.text(...command))?.[1])
  const open = {
    current: undefined as unknown as SessionStore,
    secondsLeft: (key: string) => numberIn('TTL', `session:${key}`),
    countRecords: () => numberIn('DBSIZE'),
  }
  beforeAll(async () => {
    server = await startRedis()
    open.current = await kind.open(server.port)
  })
  afterAll(async () => {
    await open.current.close?.()
    await server.stop()
  })
  return open
}
