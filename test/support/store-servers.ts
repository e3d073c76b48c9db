import type { SessionStore } from '../../src/core/index.ts'
import { MemcachedStore } from '../../src/core/stores/memcached/memcached-store.ts'
import { RedisStore, type RedisClient } from '../../src/core/stores/redis/redis-store.ts'
import { startMemcached } from './memcached.ts'
import { startRedis } from './redis.ts'

/** A real server of a test's own that sessions are in, whichever it is. */
export interface StoreServer {
  readonly port: number
  /** Ends it; what it held is gone. */
  stop(): Promise<void>
  /** Starts it again where it was, empty. */
  startAgain(): Promise<void>
  freeze(): void | Promise<void>
  thaw(): void
}

/** What a suite of whole applications runs over: a server, and a store over a client of it. */
export interface StoreKind {
  name: 'memcached' | 'Redis' | 'Redis by node-redis'
  start(...args: string[]): Promise<StoreServer>
  /** On the loopback, by the defaults. Its `close()` closes the client as well. */
  open(port: number): Promise<SessionStore>
}

export const onMemcached: StoreKind = {
  name: 'memcached',
  async start(...args) {
    let server = await startMemcached({ args })
    const { port } = server
    return {
      port,
      stop: () => server.stop(),
      async startAgain() {
        await server.stop()
        server = await startMemcached({ args, port })
      },
      freeze: () => server.freeze(),
      thaw: () => server.thaw(),
    }
  },
  open: async (port) => new MemcachedStore(`127.0.0.1:${port}`),
}

export const onRedis: StoreKind = {
  name: 'Redis',
  start: startRedisServer,
  async open(port) {
    // Here alone: half a second of loading is nothing for a test that asks for a secret.
    const { Redis } = await import('ioredis')
    const client = new Redis({ host: '127.0.0.1', port })
    // Without a listener it writes each failure on the console.
    client.on('error', () => {})
    return closing(client, () => client.disconnect())
  },
}

export const onNodeRedis: StoreKind = {
  name: 'Redis by node-redis',
  start: startRedisServer,
  async open(port) {
    const { createClient } = await import('redis')
    const reconnectStrategy = (tries: number) => Math.min(tries * 50, 1000)
    const client = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy } })
    // Without a listener a lost connection ends the process.
    client.on('error', () => {})
    client.connect().catch(() => {})
    return closing(client, () => client.destroy())
  },
}

/** By `npm run test:redis`: all that takes a store, over Redis. */
export const isRedisAlone = process.env['TEST_STORES'] === 'redis'

/** Of servers: memcached and Redis; by `npm run test:redis` Redis by each client. */
export const kinds = isRedisAlone ? [onRedis, onNodeRedis] : [onMemcached, onRedis]

/**
 * Of a suite that takes long: all its rows on memcached, and the first on Redis; by `npm run test:redis` all of them on
 * Redis by each client.
 */
export function onKinds<Row extends object>(rows: readonly Row[]): (Row & { kind: StoreKind })[] {
  const on = (kind: StoreKind, those = rows) => those.map((row) => ({ ...row, kind }))
  return isRedisAlone
    ? kinds.flatMap((kind) => on(kind))
    : [...on(onMemcached), ...on(onRedis, rows.slice(0, 1))]
}

/** Tells an application in a process of its own what `openStore` is to open there. */
export function environmentOf({ name }: StoreKind, { port }: { port: number }): Record<string, string> {
  return { STORE_KIND: name, STORE_PORT: String(port) }
}

export function openStore({ STORE_KIND, STORE_PORT } = process.env): Promise<SessionStore> {
  const kind = [onMemcached, onRedis, onNodeRedis].find(({ name }) => name === STORE_KIND)
  return kind!.open(Number(STORE_PORT))
}

async function startRedisServer(...args: string[]): Promise<StoreServer> {
  const server = await startRedis(...args)
  return {
    port: server.port,
    stop: () => server.stop(),
    async startAgain() {
      await server.stop()
      await server.restart()
    },
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
  }
}

function closing(client: RedisClient, disconnect: () => void): SessionStore {
  const store = new RedisStore(client)
  const close = store.close.bind(store)
  store.close = async () => {
    await close()
    disconnect()
  }
  return store
}
