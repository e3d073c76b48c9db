import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SessionDataError } from '../../../../src/core/errors.ts'
import { RedisStore, type RedisStoreOptions } from '../../../../src/core/stores/redis/redis-store.ts'
import { expectEveryOperation } from '../../../support/every-operation.ts'
import {
  connectIoredis,
  likeIoredis,
  redisClients,
  type ConnectedClient,
} from '../../../support/redis-clients.ts'
import { startRedis, type RedisServerProcess } from '../../../support/redis.ts'

const apples = new Uint8Array(Buffer.from('apples'))

let server: RedisServerProcess
let connection: Awaited<ReturnType<typeof connectIoredis>>
beforeAll(async () => {
  server = await startRedis()
  connection = await connectIoredis(server.port)
})
afterAll(async () => {
  connection.disconnect()
  await server.stop()
})

let lastKey = 0
const newKey = () => String(++lastKey).padStart(43, 'k')
// A machine that is busy is not what is tested.
const open = (options: RedisStoreOptions = {}) =>
  new RedisStore(connection.client, { operationTimeoutMs: 5000, ...options })
const secondsLeft = (key: string) => connection.client.ttl(`session:${key}`)

/** A client that is never to be asked. */
const nobody = likeIoredis(() => expect.fail('was asked'))

// What it shares with every other store is in ../store.test.ts.
describe('RedisStore', () => {
  it('C1: restarts the time to live with every read that has one, and leaves it alone in others', async () => {
    const store = open()
    const [read, unread, shortened] = [newKey(), newKey(), newKey()]
    await store.add(read, apples, 100)
    await store.add(unread, apples, 100)
    await store.add(shortened, apples, 1000)
    await store.get(read, 1000)
    await store.get(shortened, 100)
    await store.get(unread, undefined)
    expect(await secondsLeft(read)).toBeCloseTo(1000, -1)
    expect(await secondsLeft(unread)).toBeCloseTo(100, -1)
    expect(await secondsLeft(shortened)).toBeCloseTo(100, -1)
  })

  it('C3: every write brings its own time to live, of 400 days and more too', async () => {
    const store = open()
    const day = 24 * 60 * 60
    for (const ttl of [1000, 31 * day, 400 * day]) {
      const [added, set, replaced] = [newKey(), newKey(), newKey()]
      await store.add(added, apples, ttl)
      await store.set(set, apples, 100)
      await store.set(set, apples, ttl)
      const version = await store.add(replaced, apples, 100)
      await store.replace(replaced, apples, ttl, version)
      for (const key of [added, set, replaced]) {
        expect(await secondsLeft(key)).toBeCloseTo(ttl, -1)
        await store.get(key, ttl + 1000)
        expect(await secondsLeft(key)).toBeCloseTo(ttl + 1000, -1)
      }
    }
  })

  it.each([undefined, '', 'shop:', '{shop}', 'a{shop}:', 'foo{}{bar}', '~!'])(
    'puts its prefix before every key: %s',
    async (keyPrefix) => {
      const store = open({ keyPrefix })
      const key = newKey()
      await store.add(key, apples, 100)
      expect(await connection.client.exists((keyPrefix ?? 'session:') + key)).toBe(1)
      await expectEveryOperation(store, newKey())
    },
  )

  it('keeps what it holds when the same bytes of the socket are used again', async () => {
    const store = open()
    const key = newKey()
    await store.add(key, apples, 100)
    const found = (await store.get(key, 100))!
    for (let times = 0; times < 100; times++) await store.set(newKey(), new Uint8Array(500).fill(7), 100)
    expect(found.bytes).toEqual(apples)
    expect(found.bytes.buffer.byteLength).toBe(apples.length + 8)
  })

  it('a version from before a delete never matches again', async () => {
    const store = open()
    const key = newKey()
    const version = await store.add(key, apples, 100)
    await store.delete(key)
    expect(await store.replace(key, apples, 100, version)).toEqual({ outcome: 'missing' })
    await store.add(key, apples, 100)
    expect(await store.replace(key, apples, 100, version)).toEqual({ outcome: 'conflict' })
  })

  it('refuses a record over maxBytes before anything is sent', async () => {
    const store = new RedisStore(nobody, { maxBytes: 1000 })
    const large = new Uint8Array(1001)
    for (const write of [
      store.add(newKey(), large, 100),
      store.replace(newKey(), large, 100, new Uint8Array(8)),
      store.set(newKey(), large, 100),
    ]) {
      await expect(write).rejects.toThrow(SessionDataError)
      await expect(write).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
      await expect(write).rejects.toThrow(/1001 bytes.+1000/)
    }
  })

  it('reads a record that another application server wrote with a larger maxBytes', async () => {
    const large = new Uint8Array(5000).fill(7)
    const key = newKey()
    await open().add(key, large, 100)
    expect(await open({ maxBytes: 1000 }).get(key, 100)).toMatchObject({ bytes: large })
  })

  it.each([undefined, null, 1, 'version', [1, 2, 3, 4, 5, 6, 7, 8]])(
    'refuses %s as a version',
    async (version) => {
      const replacing = new RedisStore(nobody).replace(newKey(), apples, 100, version)
      await expect(replacing).rejects.toThrow(new TypeError('version: expected one that this store gave out'))
    },
  )

  it('no error holds a key, data or a password', async () => {
    const key = newKey()
    const secretive = await connectIoredis(server.port)
    await server.text('LPUSH', `session:${key}`, 'pears')
    const store = new RedisStore(secretive.client)
    const errors = await Promise.all(
      [
        store.get(key, 100),
        store.get(key, 0),
        store.replace(key, apples, 100, new Uint8Array(8)),
        store.replace(key, apples, 100, key),
        open({ maxBytes: 1 }).set(key, apples, 100),
      ].map((work) =>
        work.then(
          () => expect.fail('was not refused'),
          (error: Error) => error,
        ),
      ),
    )
    secretive.disconnect()
    errors.push(
      await store.set(key, apples, 100).then(
        () => expect.fail(),
        (error: Error) => error,
      ),
    )
    for (const error of errors) {
      const text = [error.message, error.stack, JSON.stringify(error), String(error.cause)].join('\n')
      expect(text).not.toContain(key)
      expect(text).not.toContain('apples')
    }
  })

  it.each<[string, unknown, typeof TypeError, string]>([
    ['null', null, TypeError, 'RedisStore: expected a plain object, got null'],
    ['an address', 'redis://a', TypeError, 'RedisStore: expected a plain object, got a string'],
    ['L1: a Map', new Map(), TypeError, 'RedisStore: expected a plain object, got an instance of Map'],
    [
      'an unknown option',
      { prefix: 'a' },
      TypeError,
      'RedisStore: expected keyPrefix, operationTimeoutMs, maxInFlight, maxBytes; got prefix',
    ],
    ['a space', { keyPrefix: 'a b' }, TypeError, 'keyPrefix: expected printable ASCII without spaces'],
    ['a line end', { keyPrefix: 'a\n' }, TypeError, 'keyPrefix: expected printable ASCII without spaces'],
    ['an umlaut', { keyPrefix: 'ü' }, TypeError, 'keyPrefix: expected printable ASCII without spaces'],
    [
      'a number',
      { keyPrefix: 1 },
      TypeError,
      'keyPrefix: expected printable ASCII without spaces, got a number',
    ],
    [
      'operationTimeoutMs 0',
      { operationTimeoutMs: 0 },
      RangeError,
      'operationTimeoutMs: expected a whole number from 1 to 2147483647, got 0',
    ],
    [
      'operationTimeoutMs over a timer',
      { operationTimeoutMs: 2 ** 31 },
      RangeError,
      'operationTimeoutMs: expected a whole number from 1 to 2147483647, got 2147483648',
    ],
    [
      'operationTimeoutMs as a string',
      { operationTimeoutMs: '250' },
      TypeError,
      'operationTimeoutMs: expected a whole number from 1 to 2147483647, got "250"',
    ],
    [
      'maxInFlight 1.5',
      { maxInFlight: 1.5 },
      RangeError,
      'maxInFlight: expected a whole number from 1 to 1048576, got 1.5',
    ],
    [
      'maxBytes NaN',
      { maxBytes: NaN },
      RangeError,
      'maxBytes: expected a whole number from 1 to 536870904, got NaN',
    ],
    [
      "maxBytes over Redis' own",
      { maxBytes: 2 ** 29 },
      RangeError,
      'maxBytes: expected a whole number from 1 to 536870904, got 536870912',
    ],
  ])('refuses as options: %s', (_, options, kind, message) => {
    const construct = () => new RedisStore(nobody, options as RedisStoreOptions)
    expect(construct).toThrow(kind)
    expect(construct).toThrow(message)
  })

  it('takes undefined for an option that is not given', () => {
    const options = { keyPrefix: undefined, maxBytes: undefined, operationTimeoutMs: undefined }
    expect(new RedisStore(nobody, options).maxBytes).toBe(1_000_000)
  })
})

describe.each(redisClients)('RedisStore over $name', ({ connect }) => {
  let own: ConnectedClient
  beforeAll(async () => {
    own = await connect(server.port)
  })
  afterAll(() => own.disconnect())

  it('carries every byte, and none', async () => {
    const store = new RedisStore(own.client, { operationTimeoutMs: 5000 })
    for (const bytes of [new Uint8Array(256).map((_, index) => index), new Uint8Array(0)]) {
      const key = newKey()
      const version = await store.add(key, bytes, 100)
      expect(await store.get(key, 100)).toEqual({ bytes, version })
    }
  })
})
