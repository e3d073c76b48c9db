import { createClient } from 'redis'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { RedisStore, type RedisClient } from '../../../../src/core/stores/redis/redis-store.ts'
import type { StoreNotice } from '../../../../src/core/stores/store.ts'
import { connectIoredis, connectNodeRedis, likeIoredis } from '../../../support/redis-clients.ts'
import type { RedisServerProcess } from '../../../support/redis.ts'
import { useServers } from '../../../support/servers.ts'

const { onEnd, redis } = useServers()

const key = 'k'.repeat(43)
const bytes = new Uint8Array(1000)

/** Lets time pass, for who looks at the monotonic clock. */
let leap: (ms: number) => void
beforeEach(() => {
  const now = performance.now.bind(performance)
  let ahead = 0
  leap = (ms) => void (ahead += ms)
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + ahead)
  // What chance makes of a second at the least.
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.99)
  onEnd(() => {
    clock.mockRestore()
    random.mockRestore()
  })
})

interface Watched {
  store: RedisStore
  told: StoreNotice[]
  types(): string[]
}

/** Without the default deadline: what is looked at here is not how fast a busy machine is. */
function watch(client: RedisClient, operationTimeoutMs = 2000): Watched {
  const store = new RedisStore(client, { operationTimeoutMs })
  onEnd(() => store.close())
  const told: StoreNotice[] = []
  store.watch((notice) => told.push(notice))
  return { store, told, types: () => told.map(({ type }) => type) }
}

const serverOf = ({ port }: { port: number }) => `127.0.0.1:${port}`

/** A visitor's operations, one after the other; replies come in order, so that what the first set off is answered by the end. */
async function use({ store }: Pick<Watched, 'store'>): Promise<void> {
  for (let done = 0; done < 3; done++) await store.get(key, 100)
}

async function fill({ store }: Watched, count = 20): Promise<void> {
  for (let index = 0; index < count; index++) await store.add(`${index}`.padStart(43, 'k'), bytes, 1000)
}

/** Until five operations have failed. */
async function notice({ store }: Watched): Promise<void> {
  for (let tries = 0; tries < 8; tries++) await store.get(key, 100).catch(() => {})
}

/** Of INFO, in all. */
async function timesRead(server: RedisServerProcess): Promise<number> {
  return Number(/cmdstat_info:calls=(\d+)/.exec(await server.text('INFO', 'COMMANDSTATS'))?.[1] ?? 0)
}

async function connected(server: RedisServerProcess): Promise<RedisClient> {
  const { client, disconnect } = await connectIoredis(server.port)
  onEnd(disconnect)
  return client
}

describe('A Redis that is watched', () => {
  it('K3: down and up are told once each, by host and port, to who comes late as well; then that it is empty', async () => {
    const server = await redis()
    const watched = watch(await connected(server), 200)
    await fill(watched)
    await use(watched)
    await server.stop()
    await notice(watched)
    const down = { type: 'server-down', server: serverOf(server), error: expect.any(Error) }
    expect(watched.told).toEqual([down])
    const late: StoreNotice[] = []
    watched.store.watch((notice) => late.push(notice))
    expect(late).toEqual([down])

    await server.restart()
    const up = { type: 'server-up', server: serverOf(server) }
    await expect.poll(() => late, { timeout: 5000 }).toEqual([down, up])
    await use(watched)
    const restarted = { type: 'server-restarted', server: serverOf(server) }
    for (const told of [watched.told, late]) expect(told).toEqual([down, up, restarted])
    const later: StoreNotice[] = []
    watched.store.watch((notice) => later.push(notice))
    await use(watched)
    expect(later).toEqual([])
  })

  it.each([
    ['ioredis', connectIoredis],
    ['node-redis', connectNodeRedis],
  ] as const)('K3: one that wrote its keys down was not restarted for anybody: %s', async (_, connect) => {
    const server = await redis('--appendonly', 'yes', '--appendfsync', 'always')
    const { client, disconnect } = await connect(server.port)
    onEnd(disconnect)
    const watched = watch(client, 200)
    await fill(watched)
    await use(watched)
    const calls = await timesRead(server)
    expect(calls).toBeGreaterThan(0)
    await server.kill()
    await notice(watched)
    await server.restart()
    await expect.poll(watched.types, { timeout: 5000 }).toEqual(['server-down', 'server-up'])
    await use(watched)
    await expect.poll(() => timesRead(server)).toBeGreaterThan(0)
    await use(watched)
    expect(watched.types()).toEqual(['server-down', 'server-up'])
  })

  it('K3: a restart that no request noticed is told, when keys are gone', async () => {
    const server = await redis()
    const watched = watch(await connected(server), 5000)
    await fill(watched)
    await use(watched)
    await server.stop()
    await server.restart()
    leap(60_000)
    await use(watched)
    expect(watched.told).toEqual([{ type: 'server-restarted', server: serverOf(server) }])
  })

  it('K3: frozen and thawed is down and up, and neither restarted nor flushed', async () => {
    const server = await redis()
    const watched = watch(await connected(server), 200)
    await fill(watched)
    await use(watched)
    server.freeze()
    await notice(watched)
    server.thaw()
    await expect.poll(watched.types, { timeout: 5000 }).toEqual(['server-down', 'server-up'])
    await expect.poll(() => watched.store.get(key, 100).catch(() => 'slow')).toBeUndefined()
    expect(watched.types()).toEqual(['server-down', 'server-up'])
  })

  it.each([
    ['FLUSHALL', 0],
    ['FLUSHDB', 0],
    ['FLUSHALL', 3],
  ])('K3: %s is told, of database %i, and once', async (flush, db) => {
    const server = await redis()
    const { client, disconnect } = await connectIoredis(server.port, { db })
    onEnd(disconnect)
    const watched = watch(client)
    await fill(watched)
    await use(watched)
    await server.text(flush)
    await use(watched)
    expect(watched.told).toEqual([])
    leap(60_000)
    await use(watched)
    leap(60_000)
    await use(watched)
    expect(watched.told).toEqual([{ type: 'server-flushed', server: serverOf(server) }])
  })

  it('K3: a flush of another database is none', async () => {
    const server = await redis()
    const { client, disconnect } = await connectIoredis(server.port, { db: 3 })
    onEnd(disconnect)
    const watched = watch(client)
    await fill(watched)
    await use(watched)
    await server.text('FLUSHDB')
    leap(60_000)
    await use(watched)
    expect(watched.told).toEqual([])
  })

  it('K3: evictions are told with their count and since when', async () => {
    const server = await redis('--maxmemory-policy', 'allkeys-lru')
    const watched = watch(await connected(server))
    const before = Date.now()
    await fill(watched, 200)
    await use(watched)
    const after = Date.now()
    const { store } = watched
    const used = Number(/used_memory:(\d+)/.exec(await server.text('INFO', 'MEMORY'))![1])
    await server.text('CONFIG', 'SET', 'maxmemory', String(used))
    for (let index = 0; index < 300; index++) await store.add(`${index}`.padStart(43, 'e'), bytes, 1000)
    await server.text('CONFIG', 'SET', 'maxmemory', '0')
    leap(60_000)
    await use(watched)
    const evicted = /evicted_keys:(\d+)/.exec(await server.text('INFO', 'STATS'))![1]
    const [told, ...rest] = watched.told
    expect(told).toEqual({
      type: 'server-evicting',
      server: serverOf(server),
      count: Number(evicted),
      since: expect.any(Number),
    })
    expect(Number(evicted)).toBeGreaterThan(0)
    expect(told!.since).toBeGreaterThanOrEqual(before)
    expect(told!.since).toBeLessThanOrEqual(after)
    leap(60_000)
    await use(watched)
    expect(rest).toEqual([])
    expect(watched.told).toHaveLength(1)
  })

  it('K3: its name has neither user nor password, nor a name that the application gave its client', async () => {
    const server = await redis('--requirepass', 'hunter2')
    const client = createClient({
      url: `redis://default:hunter2@127.0.0.1:${server.port}/1`,
      name: 'a-shop',
    })
    client.on('error', () => {})
    await client.connect()
    onEnd(() => client.destroy())
    const ioredis = await connectIoredis(server.port, { password: 'hunter2' })
    onEnd(ioredis.disconnect)
    for (const each of [client, ioredis.client]) {
      const watched = watch(each, 200)
      server.freeze()
      await notice(watched)
      server.thaw()
      expect(watched.told[0]).toMatchObject({ type: 'server-down', server: serverOf(server) })
      expect(JSON.stringify(watched.told)).not.toContain('hunter')
    }
  })
})

describe('The INFO of a watch', () => {
  it('K3: is one a minute while it is used, however many operations and listeners there are', async () => {
    const server = await redis()
    const { client, disconnect } = await connectIoredis(server.port)
    onEnd(disconnect)
    await client.ping()
    const first = await timesRead(server)
    const watched = watch(client)
    watched.store.watch(() => {})
    // Each count is an INFO itself.
    for (let minute = 1; minute <= 3; minute++) {
      await Promise.all(Array.from({ length: 50 }, () => use(watched)))
      expect(await timesRead(server)).toBe(first + 3 * minute - 1)
      leap(59_000)
      await use(watched)
      expect(await timesRead(server)).toBe(first + 3 * minute)
      leap(1_000)
    }
  })

  it('K3: goes to nobody who is not watched', async () => {
    const server = await redis()
    const { client, disconnect } = await connectIoredis(server.port)
    onEnd(disconnect)
    await client.ping()
    const first = await timesRead(server)
    await use({ store: new RedisStore(client) })
    expect(await timesRead(server)).toBe(first + 1)
  })

  it.each([
    ['never answered', () => new Promise(() => {})],
    ['refused', () => Promise.reject(new Error("NOPERM this user has no permissions to run 'info'"))],
    ['answered with something else', () => Promise.resolve(Buffer.from('# Server\r\n'))],
    [
      'one that the client throws at',
      () => {
        throw new Error('a client')
      },
    ],
  ])('K3: keeps no visitor waiting, and takes no place of his, when it is %s', async (name, info) => {
    const { client, disconnect } = await connectIoredis((await redis()).port)
    onEnd(disconnect)
    const asked: string[] = []
    const spied = likeIoredis((command, ...args) => {
      asked.push(command)
      return command === 'INFO' ? info() : client.callBuffer(command, ...args)
    })
    const store = new RedisStore(spied, { operationTimeoutMs: 2000, maxInFlight: 1 })
    const told: StoreNotice[] = []
    store.watch((notice) => told.push(notice))
    const start = Date.now()
    for (let minute = 0; minute < 6; minute++) {
      await use({ store })
      leap(60_000)
    }
    expect(Date.now() - start).toBeLessThan(1500)
    // At most one is in flight.
    expect(asked.filter((command) => command === 'INFO')).toHaveLength(name === 'never answered' ? 1 : 6)
    expect(told).toEqual([])
  })

  it('K3: a listener that fails, now or later, harms nobody', async () => {
    const server = await redis()
    const store = new RedisStore(await connected(server), { operationTimeoutMs: 2000 })
    store.watch(() => {
      throw new Error('a listener')
    })
    store.watch((async () => {
      throw new Error('a listener, later')
    }) as () => void)
    const told: StoreNotice[] = []
    store.watch((notice) => told.push(notice))
    await fill({ store, told, types: () => [] })
    await use({ store })
    await server.text('FLUSHALL')
    leap(60_000)
    await use({ store })
    expect(told.map(({ type }) => type)).toEqual(['server-flushed'])
  })
})
