import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import { createCluster } from 'redis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { slotOf } from '../../../../src/core/stores/redis/redis-client.ts'
import { RedisStore } from '../../../../src/core/stores/redis/redis-store.ts'
import type { StoreNotice } from '../../../../src/core/stores/store.ts'
import { expectEveryOperation } from '../../../support/every-operation.ts'
import type { ConnectedClient } from '../../../support/redis-clients.ts'
import { startRedisCluster, type RedisCluster } from '../../../support/redis.ts'
import { useServers } from '../../../support/servers.ts'

const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))
// Ahead of useServers, so that it runs after everything has been closed.
afterEach(async () => {
  await nextTurn()
  expect(unhandled.splice(0), 'F6: unhandled rejections').toEqual([])
})

const { onEnd } = useServers()

const clients: [string, (ports: number[]) => Promise<ConnectedClient>][] = [
  [
    'ioredis',
    async (ports) => {
      const client = new Cluster(ports.map((port) => ({ host: '127.0.0.1', port })))
      client.on('error', () => {})
      return { client, disconnect: () => client.disconnect() }
    },
  ],
  [
    'ioredis, with a prefix of its own',
    async (ports) => {
      const nodes = ports.map((port) => ({ host: '127.0.0.1', port }))
      const client = new Cluster(nodes, { keyPrefix: 'app:' })
      client.on('error', () => {})
      return { client, disconnect: () => client.disconnect() }
    },
  ],
  [
    'node-redis',
    async (ports) => {
      const client = createCluster({
        rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })),
        defaults: { socket: { reconnectStrategy: (tries) => Math.min(tries * 50, 1000) } },
      })
      client.on('error', () => {})
      await client.connect()
      return { client, disconnect: () => client.destroy() }
    },
  ],
]

const bytes = (key: string) => new Uint8Array(Buffer.from(`record of ${key}`))
const keys = Array.from({ length: 60 }, (_, index) => String(index).padStart(43, 'k'))

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'answered',
    ({ cause }) => (cause.code ?? cause.message) as string,
  )

let clusters: RedisCluster[]
beforeAll(async () => {
  clusters = await Promise.all(clients.map(startRedisCluster))
})
afterAll(async () => {
  await Promise.all(clusters.map((cluster) => cluster.stop()))
})

// One after the other, each in the order of what is done to its cluster.
describe.each(clients)('A cluster of three masters under RedisStore over %s', (name, connect) => {
  let cluster: RedisCluster
  let connection: ConnectedClient
  const prefix = name.endsWith('own') ? 'app:session:' : 'session:'
  const isThere = (key: string) => Math.floor((slotOf(prefix + key) * 3) / 16384) === 1
  /** On the second master, and elsewhere. */
  const [there, here] = [keys.filter(isThere), keys.filter((key) => !isThere(key))]
  beforeAll(async () => {
    cluster = clusters[clients.findIndex(([each]) => each === name)]!
    connection = await connect(cluster.ports)
    const patient = new RedisStore(connection.client, { operationTimeoutMs: 5000 })
    for (const key of keys) await patient.set(key, bytes(key), 1000)
  })
  afterAll(() => connection.disconnect())

  function watch(operationTimeoutMs: number) {
    const store = new RedisStore(connection.client, { operationTimeoutMs })
    onEnd(() => store.close())
    const told: StoreNotice[] = []
    store.watch((notice) => told.push(notice))
    return { store, types: () => told.map(({ type, server }) => `${type} ${server}`) }
  }

  it('keeps all records in one slot where the prefix has a hash tag', async () => {
    const options = { operationTimeoutMs: 5000, keyPrefix: 'shop{a}:' }
    const store = new RedisStore(connection.client, options)
    await expectEveryOperation(store, 'o'.repeat(43))
    const sizes = () =>
      Promise.all(cluster.masters.map(async ({ text }) => Number((await text('DBSIZE')).slice(1))))
    const before = await sizes()
    for (const key of keys) await store.set(key, bytes(key), 1000)
    const added = (await sizes()).map((size, index) => size - before[index]!)
    expect(added.toSorted()).toEqual([0, 0, keys.length])
  })

  it('F4, K3: of one that is frozen the breaker opens alone, and closes when it is back', async () => {
    const frozen = cluster.masters[1]!
    const { store, types } = watch(250)
    frozen.freeze()
    for (const key of there.slice(0, 5)) await codeOf(store.get(key, 1000))
    for (const key of here) expect(await store.get(key, 1000)).toMatchObject({ bytes: bytes(key) })
    for (const key of there) expect(await codeOf(store.get(key, 1000))).toBe('ERR_BREAKER_OPEN')
    // A probe that asked another server would be answered by now.
    await sleep(1200)
    expect(types()).toEqual([`server-down 127.0.0.1:${frozen.port}`])
    frozen.thaw()
    await expect
      .poll(types, { timeout: 5000 })
      .toEqual([`server-down 127.0.0.1:${frozen.port}`, `server-up 127.0.0.1:${frozen.port}`])
    await expect.poll(() => codeOf(store.get(there[0]!, 1000))).toBe('answered')
  })

  it('F4, K3: of one that is killed the keys are unavailable, those of the others served without a wait', async () => {
    const killed = cluster.masters[1]!
    const { store, types } = watch(500)
    for (const key of keys) await store.get(key, 1000)
    await killed.stop()
    const times: number[] = []
    // Longer than the others take to call it failed.
    const end = performance.now() + 3000
    for (let round = 0; round < 6 || performance.now() < end; round++) {
      for (const key of here) {
        const start = performance.now()
        expect(await store.get(key, 1000)).toMatchObject({ bytes: bytes(key) })
        times.push(performance.now() - start)
      }
      expect(await codeOf(store.get(there[0]!, 1000))).not.toBe('answered')
    }
    const sorted = times.toSorted((one, other) => one - other)
    const [median, longest] = [sorted[sorted.length >> 1]!, sorted.at(-1)!]
    console.log(`one master of three killed, ${name}: ${median.toFixed(1)} ms, ${longest.toFixed(1)} at most`)
    expect(median).toBeLessThan(25)
    expect(types()).toEqual([`server-down 127.0.0.1:${killed.port}`])
  })
})
