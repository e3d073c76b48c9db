import { Cluster, Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import { describe, expect, it } from 'vitest'
import { commandsOf, slotOf, type RedisClient } from '../../../../src/core/stores/redis/redis-client.ts'
import { RedisStore } from '../../../../src/core/stores/redis/redis-store.ts'
import { freePort } from '../../../support/free-port.ts'
import { useServers } from '../../../support/servers.ts'

const { redis } = useServers()

const lazy = { lazyConnect: true } as const
/** Elsewhere, what it is known by. */
const buns: unknown =
  'bun' in process.versions
    ? new (await import('bun' as string)).RedisClient('redis://127.0.0.1:1')
    : { send() {}, duplicate() {} }

describe('A client', () => {
  const cure = '; with ioredis write new RedisStore(new Redis(url))'
  const expected = 'client: expected one of ioredis, iovalkey or redis (node-redis) 5 or later, got '

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['an address', 'redis://hunter:hunter2@10.0.0.1', 'a string'],
    ['options', { url: 'redis://10.0.0.1' }, 'an object'],
    ['L1: the options of connect-redis', { client: createClient() }, 'an object; hand in its client'],
    ['a list of nodes', [{ host: '10.0.0.1' }], 'an array'],
    ['the class', Redis, 'a function'],
    ['L1: a promise of a client', Promise.resolve(createClient()), 'a promise; await it'],
    [
      'node-redis 4',
      { connect() {}, duplicate() {}, sendCommand() {}, commandOptions() {}, isOpen: true },
      'an object',
    ],
    ["Bun's own", buns, "Bun's own, which answers bytes as text"],
    ['the old `redis` 3', { send_command() {}, internal_send_command() {} }, 'an object'],
  ])('is refused, with what came and what to write: %s', (_, client, came) => {
    const construct = () => new RedisStore(client as RedisClient)
    expect(construct).toThrow(TypeError)
    expect(construct).toThrow(expected + came + cure)
    expect(construct).not.toThrow(/hunter/)
  })

  it.each<[string, RedisClient, name: string, database: number]>([
    ['ioredis', new Redis(lazy), 'localhost:6379', 0],
    ['ioredis, an address', new Redis('redis://hunter:hunter2@a:77/3', lazy), 'a:77', 3],
    ['ioredis, a socket', new Redis('/run/redis.sock', lazy), '/run/redis.sock', 0],
    [
      'ioredis, sentinels',
      new Redis({ sentinels: [{ host: 'a', port: 1 }], name: 'sessions', db: 2, ...lazy }),
      'sessions',
      2,
    ],
    ['iovalkey', new Valkey('redis://hunter:hunter2@a:77/3', lazy), 'a:77', 3],
    ['node-redis', createClient(), 'localhost:6379', 0],
    [
      'node-redis, an address',
      createClient({ url: 'redis://hunter:hunter2@a:77/3', name: 'shop' }),
      'a:77',
      3,
    ],
    ['node-redis, a host alone', createClient({ url: 'redis://a' }), 'a:6379', 0],
    [
      'node-redis, a socket',
      createClient({ socket: { path: '/run/redis.sock', tls: false } }),
      '/run/redis.sock',
      0,
    ],
    ['a pool, which does not say', createClientPool({ url: 'redis://a:77' }), 'redis', 0],
    [
      'a sentinel, which does not say',
      createSentinel({ name: 'sessions', sentinelRootNodes: [{ host: 'a', port: 1 }] }),
      'redis',
      0,
    ],
  ])('K3: names its server by host and port, without credentials: %s', (_, client, name, database) => {
    const commands = commandsOf(client)
    expect(commands.serverOf('key')).toBe(name)
    expect(commands.nodes()).toMatchObject([{ name, database }])
  })

  it('names no server before it knows its cluster', async () => {
    const port = await freePort()
    const clusters = [
      new Cluster([{ host: '127.0.0.1', port }], lazy),
      createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] }),
    ]
    for (const client of clusters) {
      expect(commandsOf(client).serverOf('key')).toBe('cluster')
      expect(commandsOf(client).nodes()).toEqual([])
    }
  })
})

describe('slotOf', () => {
  it.each([
    // Of the specification of clusters.
    ['123456789', 0x31c3],
    ['{user1000}.following', slotOf('user1000')],
    ['foo{}{bar}', 8363],
    ['foo{{bar}}zap', slotOf('{bar')],
    ['foo{bar}{zap}', slotOf('bar')],
    ['', 0],
  ])('%s', (key, slot) => {
    expect(slotOf(key)).toBe(slot)
  })

  it('says what a real Redis says', async () => {
    const { port } = await redis('--cluster-enabled', 'yes', '--cluster-port', String(await freePort()))
    const client = new Redis(port, '127.0.0.1')
    const tags = ['', '{a}', '{}', '{', '}', '{}{b}', '{{c}}', '}{d}', 'x{e}y', '~!']
    const keys = tags.flatMap((tag) => ['k', '0'.repeat(43), 'Az_-'].map((key) => `session:${tag}${key}`))
    for (const key of keys) expect([key, slotOf(key)]).toEqual([key, await client.cluster('KEYSLOT', key)])
    client.disconnect()
  })
})
