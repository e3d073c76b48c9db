// Compiled by `tsc`, never run: a line that compiles where it should not fails through its @ts-expect-error.
import { Cluster, Redis } from 'ioredis'
import { Cluster as ValkeyCluster, Redis as Valkey } from 'iovalkey'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import { expectTypeOf } from 'vitest'
import type { SessionStore } from 'holdfast'
import { RedisStore, type RedisClient, type RedisStoreOptions } from 'holdfast/redis'

const url = 'redis://10.0.0.1'
const sentinels = [{ host: '10.0.0.1', port: 26379 }]

export async function clients() {
  new RedisStore(new Redis(url))
  new RedisStore(new Redis({ sentinels, name: 'sessions', protocol: 2 }), {})
  new RedisStore(new Cluster(sentinels))
  new RedisStore(new Valkey(url))
  new RedisStore(new ValkeyCluster(sentinels))
  new RedisStore(createClient({ url }))
  new RedisStore(createClient({ url, RESP: 2 }))
  new RedisStore(await createClient({ url, RESP: 3 }).connect())
  new RedisStore(await createClient({ url }).on('error', console.error).connect())
  new RedisStore(createClientPool({ url }))
  new RedisStore(createCluster({ rootNodes: [{ url }] }))
  new RedisStore(createCluster({ rootNodes: [{ url }], RESP: 2 }))
  new RedisStore(createSentinel({ name: 'sessions', sentinelRootNodes: sentinels }))
  expectTypeOf(new RedisStore(new Redis(url))).toExtend<SessionStore>()
  const client: RedisClient = createClient()
  const options: RedisStoreOptions = { keyPrefix: undefined, maxInFlight: 1 }
  new RedisStore(client, options)
}

// @ts-expect-error no client
new RedisStore()
// @ts-expect-error an address
new RedisStore(url)
// @ts-expect-error options
new RedisStore({ url })
// @ts-expect-error the class
new RedisStore(Redis)
// @ts-expect-error not awaited
new RedisStore(createClient().connect())
// @ts-expect-error node-redis 4, or Bun's own
new RedisStore({ connect: async () => {}, send: async () => {}, sendCommand: async () => {} })
// @ts-expect-error no such option
new RedisStore(new Redis(url), { prefix: 'shop:' })
// @ts-expect-error a number
new RedisStore(new Redis(url), { operationTimeoutMs: '250' })
