import { Cluster, Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient, createCluster } from 'redis'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { sessionStoreContract } from 'holdfast/testing'
import { RedisStore, type RedisClient } from '../../../../src/core/stores/redis/redis-store.ts'
import {
  startRedis,
  startRedisCluster,
  type RedisCluster,
  type RedisServerProcess,
} from '../../../support/redis.ts'

let server: RedisServerProcess
let cluster: RedisCluster
beforeAll(async () => {
  ;[server, cluster] = await Promise.all([startRedis(), startRedisCluster()])
})
afterAll(async () => {
  await Promise.all([server.stop(), cluster.stop()])
})

const nodes = () => cluster.ports.map((port) => ({ host: '127.0.0.1', port }))
const rootNodes = () => cluster.ports.map((port) => ({ url: `redis://127.0.0.1:${port}` }))

describe.each<[string, () => Promise<[RedisClient, () => unknown]>]>([
  ['ioredis', async () => opened(new Redis(server.address))],
  ['iovalkey', async () => opened(new Valkey(server.address))],
  ['node-redis, RESP2', async () => connected(createClient({ url: server.address, RESP: 2 }))],
  ['node-redis, RESP3', async () => connected(createClient({ url: server.address, RESP: 3 }))],
  ['a cluster of ioredis', async () => opened(new Cluster(nodes()))],
  ['a cluster of node-redis', async () => connected(createCluster({ rootNodes: rootNodes() }))],
])('RedisStore over %s keeps the contract:', (_, connect) => {
  let client: RedisClient
  let disconnect: () => unknown
  beforeAll(async () => {
    ;[client, disconnect] = await connect()
  })
  afterAll(() => disconnect())

  // Longer than by default: dozens of cases, a million bytes among them, ask at once.
  const open = () => new RedisStore(client, { operationTimeoutMs: 3000 })
  describe.concurrent('', () => {
    for (const { name, run } of sessionStoreContract(open)) it(name, run)
  })
})

function opened<Client extends { disconnect(): void }>(client: Client): [Client, () => void] {
  return [client, () => client.disconnect()]
}

async function connected<Client extends { connect(): Promise<unknown>; destroy(): void }>(
  client: Client,
): Promise<[Client, () => void]> {
  await client.connect()
  return [client, () => client.destroy()]
}
