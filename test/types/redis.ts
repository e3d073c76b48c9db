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
  void new RedisStore(new Redis(url))
  void new RedisStore(new Redis({ sentinels, name: 'sessions', protocol: 2 }), {})
  void new RedisStore(new Cluster(sentinels))
  void new RedisStore(new Valkey(url))
  void new RedisStore(new ValkeyCluster(sentinels))
  void new RedisStore(createClient({ url }))
  void new RedisStore(createClient({ url, RESP: 2 }))
  void new RedisStore(await createClient({ url, RESP: 3 }).connect())
  void new RedisStore(await createClient({ url }).on('error', console.error).connect())
  void new RedisStore(createClientPool({ url }))
  void new RedisStore(createCluster({ rootNodes: [{ url }] }))
  void new RedisStore(createCluster({ rootNodes: [{ url }], RESP: 2 }))
  void new RedisStore(createSentinel({ name: 'sessions', sentinelRootNodes: sentinels }))
  expectTypeOf(new RedisStore(new Redis(url))).toExtend<SessionStore>()
  const client: RedisClient = createClient()
  const options: RedisStoreOptions = { keyPrefix: undefined, maxInFlight: 1 }
  void new RedisStore(client, options)
}

// @ts-expect-error no client
void new RedisStore()
// @ts-expect-error an address
void new RedisStore(url)
// @ts-expect-error options
void new RedisStore({ url })
// @ts-expect-error the class
void new RedisStore(Redis)
// @ts-expect-error not awaited
void new RedisStore(createClient().connect())
// @ts-expect-error node-redis 4, or Bun's own
void new RedisStore({ connect: async () => {}, send: async () => {}, sendCommand: async () => {} })
// @ts-expect-error no such option
void new RedisStore(new Redis(url), { prefix: 'shop:' })
// @ts-expect-error a number
void new RedisStore(new Redis(url), { operationTimeoutMs: '250' })
