import { describe, expect, it } from 'vitest'
import { SessionDataError, StoreUnavailableError } from '../../../../src/core/errors.ts'
import { storeClosed } from '../../../../src/core/stores/gate.ts'
import {
  MemcachedStore,
  type MemcachedStoreOptions,
} from '../../../../src/core/stores/memcached/memcached-store.ts'
import { MemcachedError } from '../../../../src/core/stores/memcached/memcached-error.ts'
import { replyTo } from '../../../support/fake-server.ts'
import { runScript } from '../../../support/process.ts'
import { useServers } from '../../../support/servers.ts'

const { onEnd, memcached, fake } = useServers()

function open(addressOrOptions: string | MemcachedStoreOptions): MemcachedStore {
  const store = new MemcachedStore(addressOrOptions)
  onEnd(() => store.close())
  return store
}

const key = 'k'.repeat(43)
const bytes = Buffer.from('apples')
const version = new Uint8Array(8).fill(1)

const operations: [string, (store: MemcachedStore) => Promise<unknown>][] = [
  ['get', (store) => store.get(key, 100)],
  ['get', (store) => store.get(key, undefined)],
  ['add', (store) => store.add(key, bytes, 100)],
  ['replace', (store) => store.replace(key, bytes, 100, version)],
  ['set', (store) => store.set(key, bytes, 100)],
  ['delete', (store) => store.delete(key)],
]

async function rejection(work: Promise<unknown>): Promise<Error> {
  return work.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error: Error) => error,
  )
}

// What it shares with every other store is in ../store.test.ts.
describe('MemcachedStore', () => {
  it.each(operations)('a %s that fails rejects as an outage, with its cause', async (operation, operate) => {
    const server = await fake(({ socket }) => socket.end())
    const error = await rejection(operate(open(server.address)))
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', operation })
    expect(error.cause).toEqual(new MemcachedError('ERR_CONNECTION_LOST', 'the server closed the connection'))
  })

  it.each(operations)('a %s that memcached refuses rejects as an outage', async (operation, operate) => {
    const server = await fake((request) => void request.socket.write(replyTo(request, { status: 0x82 })))
    const error = await rejection(operate(open(server.address)))
    expect(error).toMatchObject({ operation, cause: new MemcachedError('ERR_OUT_OF_MEMORY') })
    expect(error).toBeInstanceOf(StoreUnavailableError)
  })

  it.each(operations)(
    'F2: a %s that is not answered rejects by operationTimeoutMs',
    async (operation, operate) => {
      const server = await fake(() => {})
      const store = open({ servers: `127.0.0.1:${server.port}`, operationTimeoutMs: 60 })
      const start = performance.now()
      expect(await rejection(operate(store))).toMatchObject({
        operation,
        cause: new MemcachedError('ERR_ANSWER_TIMEOUT'),
      })
      expect(performance.now() - start).toBeGreaterThan(55)
      expect(performance.now() - start).toBeLessThan(400)
    },
  )

  it('F2: waits 250 ms unless told otherwise', async () => {
    const server = await fake(() => {})
    const start = performance.now()
    await rejection(open(server.address).get(key, 100))
    expect(performance.now() - start).toBeGreaterThan(245)
    expect(performance.now() - start).toBeLessThan(600)
  })

  it('no error holds a key or data', async () => {
    const refusing = await fake((request) => {
      request.socket.write(replyTo(request, { status: 0x84, value: request.value }))
    })
    const silent = await fake(({ socket }) => socket.resetAndDestroy())
    for (const server of [refusing, silent]) {
      const store = open({ servers: `127.0.0.1:${server.port}`, maxBytes: bytes.length })
      const errors = await Promise.all(operations.map(([, operate]) => rejection(operate(store))))
      errors.push(await rejection(store.set(key, Buffer.from('apples and pears'), 100)))
      errors.push(await rejection(store.set(key, bytes, 0)))
      errors.push(await rejection(store.replace(key, bytes, 100, key)))
      for (const error of errors) {
        const text = [error.message, error.stack, JSON.stringify(error), String(error.cause)].join('\n')
        expect(text).not.toContain(key)
        expect(text).not.toContain('apples')
      }
    }
  })

  it('M5: the longest prefix that is taken makes keys that memcached takes', async () => {
    const server = await memcached()
    const store = open({ servers: `127.0.0.1:${server.port}`, keyPrefix: 'p'.repeat(207) })
    const version = await store.add(key, bytes, 100)
    expect(await store.get(key, 100)).toEqual({ bytes: new Uint8Array(bytes), version })
  })

  it('M5: a prefix that would make a longer key is refused at construction', () => {
    const keyPrefix = 'p'.repeat(208)
    for (const options of [{ servers: 'localhost', keyPrefix }, `memcached://localhost/${keyPrefix}`]) {
      expect(() => new MemcachedStore(options)).toThrow(RangeError)
      expect(() => new MemcachedStore(options)).toThrow('keyPrefix: expected at most 207 characters, got 208')
    }
  })

  it('M6: a record over maxBytes is refused before anything is sent', async () => {
    const server = await fake(() => {})
    const store = open({ servers: `127.0.0.1:${server.port}`, maxBytes: 1000 })
    const large = new Uint8Array(1001)
    for (const write of [
      store.add(key, large, 100),
      store.replace(key, large, 100, version),
      store.set(key, large, 100),
    ]) {
      const error = await rejection(write)
      expect(error).toBeInstanceOf(SessionDataError)
      expect(error).toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
      expect(error.message).toMatch(/1001 bytes.+1000/)
    }
    expect(server.connections).toBe(0)
  })

  it('a record that another application server wrote with a larger maxBytes is read, and disturbs nobody', async () => {
    const server = await memcached()
    const servers = `127.0.0.1:${server.port}`
    const large = new Uint8Array(5000).fill(7)
    await open({ servers }).add(key, large, 100)
    const other = 'o'.repeat(43)
    await open({ servers }).add(other, bytes, 100)
    const store = open({ servers, maxBytes: 1000 })
    for (let round = 0; round < 7; round++) {
      const found = await Promise.all([store.get(other, 100), store.get(key, 100), store.get(other, 100)])
      expect(found.map((each) => each?.bytes)).toEqual([new Uint8Array(bytes), large, new Uint8Array(bytes)])
    }
  })

  it('M6: a record of exactly maxBytes, a million unless told otherwise, fits a memcached as it comes', async () => {
    const server = await memcached()
    const store = open(server.address)
    expect(store.maxBytes).toBe(1_000_000)
    expect(await store.add(key, new Uint8Array(1_000_000), 100)).toBeDefined()
    expect((await store.get(key, 100))!.bytes).toHaveLength(1_000_000)
  })

  it.each([undefined, null, 1, 'version', new Uint8Array(7)])('refuses %s as a version', async (foreign) => {
    const server = await fake(() => {})
    expect(await rejection(open(server.address).replace(key, bytes, 100, foreign))).toBeInstanceOf(TypeError)
    expect(server.connections).toBe(0)
  })

  it.each<[string, (port: number) => string | MemcachedStoreOptions, string]>([
    ['an address', (port) => `memcached://127.0.0.1:${port}`, 'session:'],
    ['an address with a prefix', (port) => `memcached://127.0.0.1:${port}/shop%3A`, 'shop:'],
    ['options', (port) => ({ servers: `127.0.0.1:${port}` }), 'session:'],
    ['a list', (port) => ({ servers: [`127.0.0.1:${port}`] }), 'session:'],
    ['an address among options', (port) => ({ servers: `memcached://127.0.0.1:${port}/a` }), 'a'],
    ['options with a prefix', (port) => ({ servers: `127.0.0.1:${port}`, keyPrefix: 'shop:' }), 'shop:'],
    ['an empty prefix', (port) => ({ servers: `127.0.0.1:${port}`, keyPrefix: '' }), ''],
  ])('puts its prefix before every key, made from %s', async (_, options, prefix) => {
    const server = await fake((request) => void request.socket.write(replyTo(request, { status: 1 })))
    const store = open(options(server.port))
    await Promise.allSettled(operations.map(([, operate]) => operate(store)))
    expect(server.requests.map(({ key }) => key)).toEqual(Array(operations.length).fill(prefix + key))
  })

  it.each<[string, unknown, typeof TypeError, string]>([
    [
      'nothing',
      undefined,
      TypeError,
      'MemcachedStore: expected a memcached:// address or options, got undefined',
    ],
    ['null', null, TypeError, 'MemcachedStore: expected a memcached:// address or options, got null'],
    [
      'a number',
      11211,
      TypeError,
      'MemcachedStore: expected a memcached:// address or options, got a number',
    ],
    ['an empty address', '', TypeError, 'servers: expected'],
    ['no servers', {}, TypeError, 'servers: expected'],
    ['an empty list', { servers: [] }, TypeError, 'servers: expected'],
    [
      'the same server twice',
      'memcached://a:11211,A',
      TypeError,
      'servers: expected each server once, got server 2 again',
    ],
    [
      'port 0',
      'memcached://a:0',
      RangeError,
      'servers: expected a port from 1 to 65535, got another for server 1',
    ],
    [
      'port 70000',
      { servers: ['a:70000'] },
      RangeError,
      'servers: expected a port from 1 to 65535, got another for server 1',
    ],
    ['an unknown option', { servers: 'a', timeout: 1 }, TypeError, '; got timeout'],
    ['a password alone', { servers: 'a', password: 'hunter2' }, TypeError, 'username: expected a string'],
    ['a user alone', { servers: 'a', username: 'hunter' }, TypeError, 'password: expected a string'],
    [
      'an empty password',
      { servers: 'a', username: 'hunter', password: '' },
      TypeError,
      'password: expected a string that is not empty',
    ],
    [
      'a password with a NUL',
      { servers: 'a', username: 'hunter', password: 'hunter\0' },
      TypeError,
      'password: expected a string that is not empty and holds no NUL, got a string',
    ],
    ['a NUL in the address', 'memcached://hunter:hunter%00@a', TypeError, 'password: expected a string'],
    [
      'two users',
      { servers: 'memcached://hunter:hunter2@a', username: 'hunter', password: 'hunter2' },
      TypeError,
      'username: expected here or in the address, got both',
    ],
    [
      'tls as a string',
      { servers: 'a', tls: 'yes' },
      TypeError,
      'tls: expected true or options, got a string',
    ],
    [
      'an unknown tls option',
      { servers: 'a', tls: { rejectUnauthorized: false } },
      TypeError,
      'tls: expected ca',
    ],
    [
      'a certificate without its key',
      { servers: 'a', tls: { cert: 'x' } },
      TypeError,
      'tls: expected cert and key',
    ],
    [
      'a key that is no PEM',
      { servers: 'a', tls: { cert: 'x', key: 'hunter2' } },
      TypeError,
      'tls: expected ca, cert and key in PEM',
    ],
    [
      'a ca that is a number',
      { servers: 'a', tls: { ca: [1] } },
      TypeError,
      'tls: expected ca, cert and key in PEM, as strings or bytes, got a number',
    ],
    [
      'a servername that is an address',
      { servers: 'a', tls: { servername: '10.0.0.1' } },
      TypeError,
      'tls.servername: expected a host name, got "10.0.0.1"',
    ],
    [
      'a ca that is a path',
      { servers: 'a', tls: { ca: '/etc/ssl/ca.pem' } },
      TypeError,
      'tls: expected ca, cert and key in PEM, got what cannot be read',
    ],
    [
      'a servername that is a number',
      { servers: 'a', tls: { servername: 1 } },
      TypeError,
      'tls.servername: expected a host name, got 1',
    ],
    [
      'no TLS with memcacheds://',
      { servers: 'memcacheds://a', tls: false },
      TypeError,
      'tls: expected true with memcacheds://',
    ],
    [
      'maxInFlight 0',
      { servers: 'a', maxInFlight: 0 },
      RangeError,
      'maxInFlight: expected a whole number from 1 to 1048576, got 0',
    ],
    [
      'a prefix with a space',
      { servers: 'a', keyPrefix: 'a b' },
      TypeError,
      'keyPrefix: expected printable ASCII',
    ],
    [
      'a prefix with a line end',
      { servers: 'a', keyPrefix: 'a\n' },
      TypeError,
      'keyPrefix: expected printable ASCII',
    ],
    ['a prefix with an umlaut', 'memcached://a/%C3%BC', TypeError, 'keyPrefix: expected printable ASCII'],
    [
      'a prefix that is a number',
      { servers: 'a', keyPrefix: 1 },
      TypeError,
      'keyPrefix: expected printable ASCII without spaces, got a number',
    ],
    ['two prefixes', { servers: 'memcached://a/b', keyPrefix: 'c' }, TypeError, 'keyPrefix: expected'],
    [
      'operationTimeoutMs 0',
      { servers: 'a', operationTimeoutMs: 0 },
      RangeError,
      'operationTimeoutMs: expected a whole number from 1 to 2147483647, got 0',
    ],
    [
      'operationTimeoutMs over a timer',
      { servers: 'a', operationTimeoutMs: 2 ** 31 },
      RangeError,
      'operationTimeoutMs: expected',
    ],
    [
      'connectTimeoutMs NaN',
      { servers: 'a', connectTimeoutMs: NaN },
      RangeError,
      'connectTimeoutMs: expected a whole number from 1 to 2147483647, got NaN',
    ],
    [
      'connectTimeoutMs as a string',
      { servers: 'a', connectTimeoutMs: '250' },
      TypeError,
      'connectTimeoutMs: expected a whole number from 1 to 2147483647, got "250"',
    ],
    [
      'maxBytes -1',
      { servers: 'a', maxBytes: -1 },
      RangeError,
      'maxBytes: expected a whole number from 1 to 1073741824, got -1',
    ],
    ['maxBytes 1.5', { servers: 'a', maxBytes: 1.5 }, RangeError, 'maxBytes: expected'],
    [
      'L1: a promise',
      Promise.resolve('a'),
      TypeError,
      'a memcached:// address or options, got a promise; await it',
    ],
    ['L1: a Map', new Map(), TypeError, 'a memcached:// address or options, got an instance of Map'],
    [
      'L1: TLS of a class',
      { servers: 'a', tls: new Map() },
      TypeError,
      'true or options, got an instance of Map',
    ],
    [
      'several servers in one text',
      'a:1,b:2',
      TypeError,
      "got several in one; write a list, ['a:1', 'b:2'], or memcached://a:1,b:2",
    ],
  ])('refuses %s at construction', (_, options, kind, message) => {
    const construct = () => new MemcachedStore(options as MemcachedStoreOptions)
    expect(construct).toThrow(kind)
    expect(construct).toThrow(message)
  })

  it.each([
    'memcached://hunter:hunter2/@localhost',
    { servers: ['hunter:hunter2@localhost'] },
    { servers: 'localhost', username: 'hunter', password: 'hunter2\0' },
    { servers: 'localhost', tls: { cert: 'hunter', key: 'hunter2' } },
    { servers: 'localhost', password: 'hunter2' },
  ])('never repeats a password (%#)', (options) => {
    expect(() => new MemcachedStore(options)).toThrow(TypeError)
    expect(() => new MemcachedStore(options)).not.toThrow(/hunter/)
  })

  it('takes undefined for an option that is not given', () => {
    const options = { servers: 'localhost', keyPrefix: undefined, maxBytes: undefined }
    expect(new MemcachedStore(options as unknown as MemcachedStoreOptions).maxBytes).toBe(1_000_000)
  })

  it('ends at once when closed: operations in flight and later ones reject as outages', async () => {
    const server = await fake(() => {})
    const store = open(server.address)
    const inFlight = operations.map(([, operate]) => rejection(operate(store)))
    await store.close()
    for (const error of await Promise.all(inFlight)) expect(error).toBeInstanceOf(StoreUnavailableError)
    const later = await rejection(store.get(key, 100))
    expect(later).toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      cause: storeClosed(),
    })
  })

  it.each([
    ['after an operation', `await store.get(key, 100)`, 'ended'],
    ['without one', ``, 'ended'],
    [
      'not before an operation that is in flight is answered',
      `await store.get(key, 100)
store.get(key, 100).then(() => console.log('answered'))`,
      'ended\nanswered',
    ],
  ])('a script that never closes it ends by itself, %s', async (_, script, output) => {
    const server = await memcached()
    const start = performance.now()
    const said = await runScript(
      `import { MemcachedStore } from ${JSON.stringify(new URL('../../../../src/core/stores/memcached/memcached-store.ts', import.meta.url).href)}
       const key = 'k'.repeat(43)
       const servers = '127.0.0.1:${server.port}'
       const store = new MemcachedStore({ servers, operationTimeoutMs: 20_000, connectTimeoutMs: 20_000 })
       ${script}
       console.log('ended')`,
    )
    expect(said).toBe(output)
    expect(performance.now() - start).toBeLessThan(8000)
  })
})
