import { inspect } from 'node:util'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterEach, describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../../../src/core/errors.ts'
import {
  RedisStore,
  type RedisClient,
  type RedisStoreOptions,
} from '../../../../src/core/stores/redis/redis-store.ts'
import { freePort } from '../../../support/free-port.ts'
import {
  connectIoredis,
  connectNodeRedis,
  likeIoredis,
  redisClients,
  type ConnectedClient,
} from '../../../support/redis-clients.ts'
import { useServers } from '../../../support/servers.ts'

const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))
// Ahead of useServers, so that it runs after everything has been closed.
afterEach(async () => {
  await nextTurn()
  expect(unhandled.splice(0), 'F6: unhandled rejections').toEqual([])
})

const { onEnd, redis, proxy: startProxy } = useServers()

const key = 'k'.repeat(43)
const bytes = new Uint8Array(Buffer.from('apples'))
const version = new Uint8Array(8)

const operations: [string, (store: RedisStore) => Promise<unknown>][] = [
  ['get', (store) => store.get(key, 100)],
  ['get', (store) => store.get(key, undefined, true)],
  ['add', (store) => store.add(key, bytes, 100)],
  ['replace', (store) => store.replace(key, bytes, 100, version)],
  ['set', (store) => store.set(key, bytes, 100)],
  ['delete', (store) => store.delete(key)],
]

function use({ client, disconnect }: ConnectedClient, options?: RedisStoreOptions): RedisStore {
  onEnd(disconnect)
  return new RedisStore(client, options)
}

/** What it rejects with for want of, by its code or by what the server or the client said. */
async function causeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error: Error) => error,
  )
  expect(error).toBeInstanceOf(StoreUnavailableError)
  const { code, message } = error.cause as NodeJS.ErrnoException
  return code ?? message
}

async function fail(store: RedisStore, times: number): Promise<string[]> {
  const causes: string[] = []
  for (let done = 0; done < times; done++) causes.push(await causeOf(store.get(key, 100)))
  return causes
}

/** A client whose server answers whatever it is asked with an error. */
function refusing(message: string): { message: string; client: RedisClient } {
  const refuser = {
    message,
    client: likeIoredis((): Promise<never> => Promise.reject(new Error(refuser.message))),
  }
  return refuser
}

const noQueue = { enableOfflineQueue: false, maxRetriesPerRequest: 0 }

describe('RedisStore over a client that has no server', () => {
  it.each<[string, () => Promise<[client: RedisClient, end?: () => unknown]>]>([
    ['ioredis, queueing', async () => ended(await connectIoredis(await freePort()))],
    ['ioredis, not queueing', async () => ended(await connectIoredis(await freePort(), noQueue))],
    [
      'ioredis, not begun',
      async () => {
        const client = new Redis(await freePort(), { lazyConnect: true, retryStrategy: () => null })
        client.on('error', () => {})
        return [client]
      },
    ],
    [
      'ioredis, quit',
      async () => {
        const { client } = await connectIoredis((await redis()).port)
        await client.quit()
        return [client]
      },
    ],
    [
      'a cluster of ioredis',
      async () => {
        const client = new Cluster([{ host: '127.0.0.1', port: await freePort() }])
        client.on('error', () => {})
        return [client, () => client.disconnect()]
      },
    ],
    ['node-redis, not connected', async () => [createClient()]],
    [
      'node-redis, connecting',
      async () => {
        const client = createClient({ socket: { port: await freePort() } })
        client.on('error', () => {})
        void client.connect().catch(() => {})
        return [client, () => client.destroy()]
      },
    ],
    ...([2, 3] as const).flatMap((RESP) =>
      [false, true].map((disableOfflineQueue): [string, () => Promise<[RedisClient, () => void]>] => [
        `node-redis, RESP${RESP}, ${disableOfflineQueue ? 'not ' : ''}queueing, its server killed`,
        async () => {
          const server = await redis()
          const connection = await connectNodeRedis(server.port, { RESP, disableOfflineQueue })
          await server.stop()
          return ended(connection)
        },
      ]),
    ),
    [
      'node-redis, destroyed',
      async () => {
        const { client, disconnect } = await connectNodeRedis((await redis()).port)
        disconnect()
        return [client]
      },
    ],
  ])('F2: rejects by the deadline, whatever is asked: %s', async (_, connect) => {
    const [client, end = () => {}] = await connect()
    onEnd(end)
    const start = performance.now()
    const store = new RedisStore(client, { operationTimeoutMs: 150 })
    const outcomes = await Promise.allSettled(operations.map(([, operate]) => operate(store)))
    expect(performance.now() - start).toBeLessThan(550)
    for (const [index, [operation]] of operations.entries()) {
      const reason = expect.objectContaining({ code: 'ERR_STORE_UNAVAILABLE', operation })
      expect(outcomes[index]).toEqual({ status: 'rejected', reason })
    }
  })

  const ended = ({ client, disconnect }: ConnectedClient): [RedisClient, () => void] => [client, disconnect]

  it('F2: a client that throws is one that rejects', async () => {
    const client = likeIoredis(() => {
      throw new Error('a client')
    })
    expect(await causeOf(new RedisStore(client).get(key, 100))).toBe('a client')
  })

  it('F2: waits 250 ms unless told otherwise', async () => {
    const server = await redis()
    const store = use(await connectIoredis(server.port))
    server.freeze()
    const start = performance.now()
    expect(await causeOf(store.get(key, 100))).toBe('ERR_ANSWER_TIMEOUT')
    expect(performance.now() - start).toBeGreaterThan(245)
    expect(performance.now() - start).toBeLessThan(650)
  })
})

describe('Too much at a time', () => {
  it('F4: fails at once what begins over maxInFlight, and what follows over four times as much', async () => {
    const server = await redis()
    const store = use(await connectIoredis(server.port), { maxInFlight: 3, operationTimeoutMs: 10_000 })
    await store.get(key, 100)
    server.freeze()
    const waiting: Promise<unknown>[] = []
    for (let index = 0; index < 3; index++) waiting.push(store.get(key, 100))
    expect(await fail(store, 2)).toEqual(Array(2).fill('ERR_TOO_MANY_WAITING'))
    waiting.push(store.get(key, 100, true))
    for (let index = 0; index < 8; index++) waiting.push(store.set(key, bytes, 100))
    expect(await causeOf(store.set(key, bytes, 100))).toBe('ERR_TOO_MANY_WAITING')
    expect(await causeOf(store.get(key, 100, true))).toBe('ERR_TOO_MANY_WAITING')
    server.thaw()
    await Promise.all(waiting)
    expect(await store.get(key, 100)).toMatchObject({ bytes })
  })
})

describe('The breaker of RedisStore', () => {
  it('F4: opens with the fifth deadline in a row, probes with a key of nobody, and is back 2 s after the thaw', async () => {
    const server = await redis()
    const monitor = await (await connectIoredis(server.port)).client.monitor()
    onEnd(() => monitor.disconnect())
    const asked: string[] = []
    monitor.on('monitor', (_time, [command, ...args]: string[]) => {
      if (!/^(info|client)$/i.test(command!)) asked.push(`${command!.toUpperCase()} ${args.join(' ')}`)
    })
    const store = use(await connectIoredis(server.port), { operationTimeoutMs: 100 })
    await expect.poll(() => store.get(key, undefined)).toBeUndefined()
    await store.set(key, bytes, 100)
    server.freeze()
    expect(await fail(store, 6)).toEqual([...Array(5).fill('ERR_ANSWER_TIMEOUT'), 'ERR_BREAKER_OPEN'])
    const start = performance.now()
    await fail(store, 50)
    expect(performance.now() - start, 'refused at once').toBeLessThan(100)
    server.thaw()
    const thawed = performance.now()
    await expect.poll(() => store.get(key, 100), { timeout: 5000, interval: 20 }).toMatchObject({ bytes })
    expect(performance.now() - thawed).toBeLessThan(2000)
    // The five that had been sent are carried out late; nothing of a visitor's comes between them and the probe.
    await expect.poll(() => asked.filter((each) => each === 'GETEX session:probe:0')).toHaveLength(1)
    const late = asked.slice(asked.findIndex((each) => each.startsWith('SET ')) + 1)
    const probe = late.indexOf('GETEX session:probe:0')
    expect(late.slice(0, probe)).toEqual(Array(5).fill(`GETEX session:${key} EX 100`))
    monitor.disconnect()
  })

  it.each<[string, (port: number) => Promise<ConnectedClient>]>([
    ['ioredis', connectIoredis],
    ['ioredis, not queueing', (port) => connectIoredis(port, noQueue)],
    ['node-redis', connectNodeRedis],
    ['node-redis, not queueing', (port) => connectNodeRedis(port, { disableOfflineQueue: true })],
  ])(
    'F4: a connection that is lost counts once, however much was under way, repetitions included: %s',
    async (_, connect) => {
      const proxy = await startProxy(await redis())
      const store = use(await connect(proxy.port), { operationTimeoutMs: 2000 })
      await expect.poll(() => store.get(key, 100)).toBeUndefined()
      proxy.fault = { type: 'stall' }
      const lost = Array.from({ length: 50 }, (_, index) => store.get(`${index}`.padStart(43, 'l'), 100))
      await expect.poll(() => proxy.sockets.size).toBe(1)
      proxy.fault = { type: 'refuse' }
      proxy.fault = { type: 'none' }
      for (const outcome of await Promise.allSettled(lost)) {
        const { cause } = (outcome as PromiseRejectedResult).reason ?? {}
        expect(cause?.code).not.toBe('ERR_BREAKER_OPEN')
      }
      const isBack = () =>
        store.get(key, 100).catch(({ cause }) => (cause.code === 'ERR_BREAKER_OPEN' ? 'open' : 'not yet'))
      for (let tries = 0; tries < 3; tries++) expect(await isBack()).not.toBe('open')
    },
  )

  it.each([
    "OOM command not allowed when used memory > 'maxmemory'.",
    'WRONGTYPE Operation against a key holding the wrong kind of value',
    "NOPERM this user has no permissions to run the 'getex' command",
    'MOVED 3999 127.0.0.1:6381',
    "ERR unknown command 'GETEX'",
  ])('F4: a server that is well and refuses opens it not, and is an answer: %s', async (refusal) => {
    const server = refusing('LOADING Redis is loading the dataset in memory')
    const store = new RedisStore(server.client)
    await fail(store, 4)
    server.message = refusal
    expect(await fail(store, 1)).toEqual([refusal])
    server.message = 'LOADING Redis is loading the dataset in memory'
    await fail(store, 4)
    server.message = refusal
    expect(await fail(store, 10)).toEqual(Array(10).fill(refusal))
  })

  it.each([
    'LOADING Redis is loading the dataset in memory',
    "READONLY You can't write against a read only replica.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    'CLUSTERDOWN Hash slot not served',
    'BUSY Redis is busy running a script.',
    'TRYAGAIN Multiple keys request during rehashing of slot',
    'MISCONF Redis is configured to save RDB snapshots',
    'NOREPLICAS Not enough good replicas to write.',
    "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica. ",
  ])('F4: five times in a row, this opens it: %s', async (outage) => {
    const store = new RedisStore(refusing(outage).client)
    expect(await fail(store, 6)).toEqual([...Array(5).fill(outage), 'ERR_BREAKER_OPEN'])
  })

  it.each([
    'NOAUTH Authentication required.',
    'WRONGPASS invalid username-password pair',
    'DENIED Redis is running in protected mode because protected mode is enabled',
  ])('F4: what no repetition mends opens it at once: %s', async (outage) => {
    const store = new RedisStore(refusing(outage).client)
    expect(await fail(store, 2)).toEqual([outage, 'ERR_BREAKER_OPEN'])
  })

  it('F4: a refusal of the probe is its answer', async () => {
    const server = refusing('NOAUTH Authentication required.')
    const store = new RedisStore(server.client)
    await fail(store, 1)
    server.message = 'NOPERM No permissions to access a key'
    await expect.poll(() => causeOf(store.get(key, 100)), { timeout: 3000 }).toBe(server.message)
  })

  it('F4: knows the words of a real Redis: a password that is missing, and no longer asked for', async () => {
    const server = await redis('--requirepass', 'hunter2')
    const admin = await connectIoredis(server.port, { password: 'hunter2' })
    onEnd(admin.disconnect)
    const store = use(await connectIoredis(server.port))
    expect(await fail(store, 2)).toEqual([expect.stringMatching(/^NOAUTH /), 'ERR_BREAKER_OPEN'])
    await admin.client.config('SET', 'requirepass', '')
    await expect.poll(() => store.get(key, 100), { timeout: 3000 }).toBeUndefined()
  })

  it('S57: no error holds what was asked', async () => {
    const server = await redis('--rename-command', 'GETEX', '')
    const store = use(await connectIoredis(server.port))
    const told: unknown[] = []
    store.watch((notice) => told.push(notice))
    await server.text('LPUSH', `session:${key}`, 'a')
    for (const [, operate] of operations.slice(0, 4)) {
      const error: unknown = await operate(store).catch((error: unknown) => error)
      expect(error === undefined ? '' : inspect(error, { depth: 9, showHidden: true })).not.toContain(key)
    }
    await server.text('CONFIG', 'SET', 'requirepass', 'hunter2')
    const { client, disconnect } = await connectIoredis(server.port)
    onEnd(disconnect)
    const other = new RedisStore(client)
    other.watch((notice) => told.push(notice))
    await fail(other, 1)
    expect(told).toHaveLength(1)
    expect(inspect(told, { depth: 9, showHidden: true })).not.toContain(key)
  })

  it('F4: knows the words of a real Redis: full, of another type, forbidden', async () => {
    const server = await redis()
    const store = use(await connectIoredis(server.port))
    await store.set(key, bytes, 100)
    await server.text('LPUSH', `session:${'l'.repeat(43)}`, 'a')
    await server.text('CONFIG', 'SET', 'maxmemory', '1')
    await server.text('ACL', 'SETUSER', 'default', '-del')
    for (let tries = 0; tries < 6; tries++) {
      const { version } = (await store.get(key, 100))!
      expect(await causeOf(store.set(key, bytes, 100))).toMatch(/^OOM /)
      expect(await causeOf(store.add('n'.repeat(43), bytes, 100))).toMatch(/^OOM /)
      expect(await causeOf(store.replace(key, bytes, 100, version))).toMatch(/^OOM /)
      expect(await causeOf(store.get('l'.repeat(43), 100))).toMatch(/^WRONGTYPE /)
      expect(await causeOf(store.delete(key))).toMatch(/^NOPERM /)
    }
    expect(await store.get(key, 100)).toMatchObject({ bytes })
  })

  it('F4: knows the words of a real Redis: a replica, a cluster without slots', async () => {
    const replica = await redis('--replicaof', '127.0.0.1', String(await freePort()))
    const nobody = await redis('--cluster-enabled', 'yes', '--cluster-port', String(await freePort()))
    for (const [{ port }, word] of [
      [replica, /^READONLY /],
      [nobody, /^CLUSTERDOWN /],
    ] as const) {
      const store = use(await connectIoredis(port))
      for (const [, operate] of operations.slice(0, 5)) expect(await causeOf(operate(store))).toMatch(word)
      expect(await fail(store, 1)).toEqual(['ERR_BREAKER_OPEN'])
    }
  })
})

describe('What no server answers', () => {
  it.each(['apples', Buffer.from('OKAY'), 7, undefined, [], { outcome: 'replaced' }])(
    'F1, F3: is neither a record nor its absence, and no write: %s',
    async (reply) => {
      const store = new RedisStore(likeIoredis(async () => reply))
      for (const [operation, operate] of operations) {
        const isRecord = operation === 'get' && reply instanceof Uint8Array
        const isDeleted = operation === 'delete' && reply === 7
        if (!isRecord && !isDeleted)
          expect(await causeOf(operate(store))).toContain('answered what was not asked')
      }
    },
  )
})

it('a number is one as text, too, as ioredis gives it with stringNumbers', async () => {
  const server = await redis()
  const client = new Redis(server.port, { stringNumbers: true })
  const store = use({ client, disconnect: () => client.disconnect() }, { operationTimeoutMs: 5000 })
  await store.set(key, bytes, 100)
  await store.delete(key)
  expect(await store.get(key, 100)).toBeUndefined()
})

describe('A server whose slots are another’s by now', () => {
  it('K3: is not told to be up by an answer of the other', async () => {
    const slots = Array.from({ length: 16384 }, () => ['10.0.0.1:6379'])
    let isThere = false
    const asked = likeIoredis(async () => (isThere ? null : Promise.reject(new Error('gone'))))
    const client = { ...asked, isCluster: true, options: {}, slots, nodes: () => [] }
    const store = new RedisStore(client)
    const told: string[] = []
    store.watch(({ type, server }) => told.push(`${type} ${server}`))
    await fail(store, 6)
    expect(told).toEqual(['server-down 10.0.0.1:6379'])
    for (const each of slots) each[0] = '10.0.0.2:6379'
    isThere = true
    expect(await store.get(key, 100)).toBeUndefined()
    await sleep(1100)
    expect(told).toEqual(['server-down 10.0.0.1:6379'])
    for (const each of slots) each[0] = '10.0.0.1:6379'
    expect(await store.get(key, 100)).toBeUndefined()
    await store.close()
  })
})

describe('A connection that is lost over a request', () => {
  it.each<[string, (port: number) => Promise<ConnectedClient>]>([
    ['ioredis, not resending', (port) => connectIoredis(port, { maxRetriesPerRequest: 0 })],
    ['node-redis', connectNodeRedis],
  ])('F2: reads and deletes are asked once more, writes are not: %s', async (_, connect) => {
    const proxy = await startProxy(await redis())
    const store = use(await connect(proxy.port), { operationTimeoutMs: 5000 })
    await store.set(key, bytes, 100)
    const lose = { type: 'cut', after: 0, by: 'close' } as const
    const during = async <Result>(fault: FaultOf, work: () => Promise<Result>) => {
      proxy.fault = fault
      const outcome = await work().catch(({ code }) => code as string)
      await expect.poll(() => proxy.fault.type, { interval: 5 }).toBe('none')
      // Whoever does not ask again is not to meet the connection that is being lost.
      await store.get(key, undefined)
      return outcome
    }
    type FaultOf = typeof proxy.fault
    expect(await during(lose, () => store.get(key, 100))).toMatchObject({ bytes })
    expect(await during(lose, () => store.get(key, undefined))).toMatchObject({ bytes })
    const found = (await store.get(key, 100))!.version
    const writes = [
      () => store.replace(key, bytes, 100, found),
      () => store.add('a'.repeat(43), bytes, 100),
      () => store.set(key, bytes, 100),
    ]
    for (const write of writes) expect(await during(lose, write)).toBe('ERR_STORE_UNAVAILABLE')
    const twice = { ...lose, next: lose }
    expect(await during(twice, () => store.get(key, 100))).toBe('ERR_STORE_UNAVAILABLE')
    expect(await during(lose, () => store.delete(key))).toBeUndefined()
    expect(await store.get(key, 100)).toBeUndefined()
  })
})

describe.each(redisClients)('close() of a RedisStore over $name', ({ connect }) => {
  it('F6: rejects what is in flight and what comes later, and leaves the client as it was', async () => {
    const server = await redis()
    const connection = await connect(server.port)
    const store = use(connection, { operationTimeoutMs: 5000 })
    const other = new RedisStore(connection.client, { operationTimeoutMs: 5000 })
    await store.set(key, bytes, 100)
    server.freeze()
    const inFlight = operations.slice(0, 2).map(([, operate]) => causeOf(operate(store)))
    await store.close()
    expect(await Promise.all(inFlight)).toEqual(Array(2).fill('ERR_STORE_CLOSED'))
    for (const [, operate] of operations) expect(await causeOf(operate(store))).toBe('ERR_STORE_CLOSED')
    server.thaw()
    expect(await other.get(key, 100)).toMatchObject({ bytes })
    await store.close()
  })

  it('F6: of one that was never asked, too', async () => {
    const store = use(await connect((await redis()).port))
    await store.close()
    expect(await causeOf(store.get(key, 100))).toBe('ERR_STORE_CLOSED')
  })
})
