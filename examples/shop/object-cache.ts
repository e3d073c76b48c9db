import { Client } from 'memjs'

/** A cache of computed things, as every web site has one. Whatever it holds can be computed again. */
export interface ObjectCache {
  get(key: string): Promise<string | undefined>
  set(key: string, value: string): Promise<void>
  /** Throws away everything, whoever put it there. */
  flush(): Promise<void>
}

export function memoryCache(): ObjectCache {
  const values = new Map<string, string>()
  return {
    get: async (key) => values.get(key),
    set: async (key, value) => void values.set(key, value),
    flush: async () => values.clear(),
  }
}

/** memjs used directly: a cache may fail over, retry and lose things, which is right for a cache. */
export function memcachedCache(address: string): ObjectCache {
  const client = Client.create(address.replace('memcached://', ''), { timeout: 0.25, retries: 1 })
  return {
    async get(key) {
      const { value } = await client.get(key)
      return value?.toString()
    },
    async set(key, value) {
      await client.set(key, value, { expires: 3600 })
    },
    async flush() {
      await client.flush()
    },
  }
}
