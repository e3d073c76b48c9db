import { built } from '../lib/built.ts'

/** Reads one key; what it resolves with is up to the client. */
export type Read = (key: string) => Promise<unknown>

const TTL_SECONDS = 1800
/** A deadline that a busy machine keeps. */
const TIMEOUT_MS = 5_000

/** Clients of memcached by name, each loaded only where it is measured. */
export const clients = {
  async 'raw pipelined'(port: number): Promise<Read> {
    const { RawClient } = await import('../lib/servers/raw-client.ts')
    const client = new RawClient(`127.0.0.1:${port}`)
    return (key) => client.getAndTouch(key, TTL_SECONDS)
  },
  async holdfast(port: number): Promise<Read> {
    const { MemcachedClient } = await built('stores/memcached/client')
    const client = new MemcachedClient([{ host: '127.0.0.1', port }], {
      operationTimeoutMs: TIMEOUT_MS,
      connectTimeoutMs: TIMEOUT_MS,
      maxInFlight: 1024,
    })
    return (key) => client.get(key, TTL_SECONDS)
  },
  async memjs(port: number): Promise<Read> {
    const { Client } = await import('memjs')
    const client = Client.create(`127.0.0.1:${port}`, { timeout: TIMEOUT_MS / 1000 })
    return (key) => client.get(key)
  },
  async 'memcache-client'(port: number): Promise<Read> {
    const { MemcacheClient } = await import('memcache-client')
    const client = new MemcacheClient({ server: `127.0.0.1:${port}`, cmdTimeout: TIMEOUT_MS })
    return (key) => client.get(key)
  },
  async memcache(port: number): Promise<Read> {
    const { Memcache } = await import('memcache')
    const client = new Memcache({ nodes: [`127.0.0.1:${port}`], timeout: TIMEOUT_MS })
    return (key) => client.get(key)
  },
  async memcached(port: number): Promise<Read> {
    const { default: Memcached } = await import('memcached')
    const client = new Memcached(`127.0.0.1:${port}`, { timeout: TIMEOUT_MS })
    return (key) =>
      new Promise((resolve, reject) => {
        client.get(key, (error: Error | undefined, value) => (error ? reject(error) : resolve(value)))
      })
  },
}
