import { Cluster, Redis } from 'ioredis'
import { createClientPool, createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sessionStoreContract } from 'holdfast/testing'
import { RedisStore, type RedisClient } from '../../../../src/core/stores/redis/redis-store.ts'
import { redisClients, type ConnectedClient } from '../../../support/redis-clients.ts'
import {
  startRedis,
  startRedisCluster,
  type RedisCluster,
  type RedisServerProcess,
} from '../../../support/redis.ts'

let server: RedisServerProcess
let cluster: RedisCluster

const clients: [string, () => Promise<ConnectedClient>][] = [
  ...redisClients.map(({ name, connect }): [string, () => Promise<ConnectedClient>] => [
    name,
    () => connect(server.port),
  ]),
  [
    'ioredis, which pipelines by itself',
    async () => {
      const client = new Redis(server.address, { enableAutoPipelining: true })
      return { client, disconnect: () => client.disconnect() }
    },
  ],
  ['a pool of node-redis', async () => connected(createClientPool({ url: server.address }))],
  [
    'a cluster of ioredis',
    async () => {
      const client = new Cluster(cluster.ports.map((port) => ({ host: '127.0.0.1', port })))
      return { client, disconnect: () => client.disconnect() }
    },
  ],
  [
    'a cluster of node-redis',
    async () =>
      connected(
        createCluster({ rootNodes: cluster.ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })) }),
      ),
  ],
]

const suites = clients.map(([name, connect]) => {
  let client: RedisClient
  // Longer than by default: a million bytes are among what is asked.
  const cases = sessionStoreContract(() => new RedisStore(client, { operationTimeoutMs: 5000 }))
  const outcomes = new Map<string, Promise<void>>()
  return {
    name,
    cases,
    outcomes,
    async connect() {
      const connection = await connect()
      client = connection.client
      return connection
    },
    async run(isMeant: (name: string) => boolean, isTogether: boolean) {
      for (const { name, run } of cases.filter(({ name }) => isMeant(name))) {
        outcomes.set(name, run())
        const settled = Promise.allSettled(outcomes.values())
        if (!isTogether) await settled
      }
      await Promise.allSettled(outcomes.values())
    },
  }
})

/** What waits for Redis' clock waits at the same time, and when nothing else is done. */
const waits = (name: string) => /time to live|r[au]n out/.test(name)

let connections: ConnectedClient[]
beforeAll(async () => {
  ;[server, cluster] = await Promise.all([startRedis(), startRedisCluster()])
  connections = await Promise.all(suites.map((suite) => suite.connect()))
  await Promise.all(suites.map((suite) => suite.run((name) => !waits(name), false)))
  await Promise.all(suites.map((suite) => suite.run(waits, true)))
}, 60_000)
afterAll(async () => {
  for (const { disconnect } of connections ?? []) disconnect()
  await Promise.all([server.stop(), cluster.stop()])
})

describe.each(suites)('RedisStore over $name keeps the contract:', (suite) => {
  it.each(suite.cases)('$name', ({ name }) => suite.outcomes.get(name) ?? expect.fail('was not run'))
})

async function connected<Client extends { connect(): Promise<unknown>; destroy(): void }>(
  client: Client,
): Promise<ConnectedClient<Client>> {
  await client.connect()
  return { client, disconnect: () => client.destroy() }
}
