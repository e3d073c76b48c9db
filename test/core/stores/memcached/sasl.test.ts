import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer } from 'node:tls'
import { inspect } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { StoreUnavailableError } from '../../../../src/core/errors.ts'
import {
  MemcachedStore,
  type MemcachedStoreOptions,
} from '../../../../src/core/stores/memcached/memcached-store.ts'
import { makeAuthority, type Authority } from '../../../support/certificates.ts'
import { expectEveryOperation } from '../../../support/every-operation.ts'
import { startMemcached, type Memcached, type StartOptions } from '../../../support/memcached.ts'
import { makeUsers, statsFor, type Users } from '../../../support/sasl.ts'
import { useServers } from '../../../support/servers.ts'

const { onEnd, memcached, proxy } = useServers()

const key = 'k'.repeat(43)
const user = 'horatio'
const password = 'hunter2 is not it'
const REFUSED = 'memcached refused the username or the password'

let users: Users
let server: Memcached

beforeEach(async () => {
  users = await makeUsers()
  onEnd(() => users.remove())
  await users.setPassword(user, password)
  server = await start(users.startOptions)
})

async function start(options: StartOptions): Promise<Memcached> {
  const server = await startMemcached(options)
  onEnd(() => server.stop())
  return server
}

/** Without the default deadlines: what is looked at here is not how fast a busy machine is. */
function open(options: MemcachedStoreOptions): MemcachedStore {
  const store = new MemcachedStore({ operationTimeoutMs: 2000, connectTimeoutMs: 2000, ...options })
  onEnd(() => store.close())
  return store
}

const serversOf = ({ port }: { port: number }) => `127.0.0.1:${port}`
const inAddress = (username: string, password: string, { port }: { port: number }) =>
  `memcached://${encodeURIComponent(username)}:${encodeURIComponent(password)}@127.0.0.1:${port}`

async function rejection(work: Promise<unknown>): Promise<Error & { cause: Error }> {
  const error: unknown = await work.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(StoreUnavailableError)
  return error as Error & { cause: Error }
}

describe('SASL', () => {
  it.each<[string, () => MemcachedStoreOptions]>([
    ['in the address', () => ({ servers: inAddress(user, password, server) })],
    ['as options', () => ({ servers: serversOf(server), username: user, password })],
  ])('M11: every operation works for a user and a password %s', async (_, options) => {
    await expectEveryOperation(open(options()), key)
  })

  it.each([
    'with:colon',
    'with@sign',
    'with,comma',
    'with/slash',
    'with%41percent',
    'with space',
    'mit ümläut und €',
    ':@,/%?#[]&=+\\"\'',
  ])(
    'M11: the password %s authenticates, percent-encoded in the address or as an option',
    async (password) => {
      await users.setPassword(user, password)
      expect(await open({ servers: inAddress(user, password, server) }).get(key, 100)).toBeUndefined()
      const options = { servers: serversOf(server), username: user, password }
      expect(await open(options).get(key, 100)).toBeUndefined()
    },
  )

  it('M11: a user name may hold what separates the parts of an address', async () => {
    const username = 'shop:1,2/3%4ü'
    await users.setPassword(username, password)
    expect(await open({ servers: inAddress(username, password, server) }).get(key, 100)).toBeUndefined()
  })

  it('M11: authenticates at every server of the address', async () => {
    const another = await start(users.startOptions)
    const store = open({ servers: `${inAddress(user, password, server)},${serversOf(another)}` })
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.get(`${index}`.padStart(43, 'k'), 100)))
    for (const each of [server, another]) {
      expect(await statsFor(each, user, password)).toMatchObject({ auth_cmds: 2, auth_errors: 0 })
    }
  })

  it('M11: authenticates once a connection, ahead of everything that waits for it', async () => {
    const store = open({ servers: inAddress(user, password, server) })
    expect(await Promise.all(Array.from({ length: 50 }, () => store.get(key, 100)))).toEqual(
      Array(50).fill(undefined),
    )
    expect(await statsFor(server, user, password)).toMatchObject({ auth_cmds: 2, auth_errors: 0 })
  })

  it('M11: authenticates anew when the connection was lost', async () => {
    const network = await proxy(server)
    const store = open({ servers: inAddress(user, password, network) })
    const version = await store.add(key, Buffer.from('apples'), 100)
    for (const socket of network.sockets) socket.resetAndDestroy()
    expect(await store.get(key, 100)).toMatchObject({ version })
    await store.delete(key)
    await expectEveryOperation(store, key)
    expect(network.connections).toBe(2)
  })

  it('M11: authenticates anew when the server was restarted', async () => {
    const store = open({ servers: inAddress(user, password, server) })
    await expectEveryOperation(store, key)
    await server.stop()
    server = await start({ ...users.startOptions, port: server.port })
    await vi.waitFor(() => store.get(key, 100), { timeout: 2000, interval: 20 })
    await expectEveryOperation(store, key)
  })

  it.each([
    ['a wrong password', user, 'wrong'],
    ['an unknown user', 'rosencrantz', password],
  ])('says that the server refused, for %s', async (_, username, password) => {
    const store = open({ servers: inAddress(username, password, server) })
    for (const error of await Promise.all([
      rejection(store.get(key, 100)),
      rejection(store.add(key, new Uint8Array(1), 100)),
      rejection(store.delete(key)),
    ])) {
      expect(error.cause.message).toBe(REFUSED)
    }
    expect((await rejection(store.get(key, 100))).cause.message).toContain(REFUSED)
  })

  it('F4: a refused password is tried about once a second, however many operations come', async () => {
    const network = await proxy(server)
    const store = open({ servers: inAddress(user, 'wrong', network) })
    const start = performance.now()
    for (let count = 0; count < 100; count++) {
      expect((await rejection(store.get(key, 100))).cause.message).toContain(REFUSED)
      // Spread over more than a second, so that there is a probe to count.
      await sleep(12)
    }
    // The first, and then one after every pause of a second less up to half of it.
    expect(network.connections).toBeLessThanOrEqual(1 + (performance.now() - start) / 500)
    const { auth_errors: attempts } = await statsFor(server, user, password)
    expect(attempts).toBeGreaterThan(1)
    expect(attempts).toBeLessThanOrEqual(network.connections)
  })

  it('F4: works by itself once the password is put right on the server', async () => {
    const store = open({ servers: inAddress(user, 'put right', server) })
    expect((await rejection(store.get(key, 100))).cause.message).toBe(REFUSED)
    await users.setPassword(user, 'put right')
    await vi.waitFor(() => store.get(key, 100), { timeout: 2000, interval: 20 })
    await expectEveryOperation(store, key)
  })

  it('says that the server wants to be told a user and a password', async () => {
    const error = await rejection(open({ servers: serversOf(server) }).get(key, 100))
    expect(error.cause.message).toContain('memcached wants a username and a password')
  })

  it('says that the server was started without SASL', async () => {
    const plain = await memcached()
    const error = await rejection(open({ servers: inAddress(user, password, plain) }).get(key, 100))
    expect(error.cause.message).toBe('memcached takes no username and password: it was started without -S')
  })

  it('S57: neither an error nor the store shows the password, however closely one looks', async () => {
    const plain = await memcached()
    const stopped = await start({})
    await stopped.stop()
    for (const servers of [server, plain, stopped].map((each) => inAddress(user, 'hunter2', each))) {
      const store = open({ servers })
      expectNoPassword(store)
      const inFlight = rejection(store.get(key, 100))
      expectNoPassword(store)
      expectNoPassword(await inFlight)
      expectNoPassword(await rejection(store.get(key, 100)))
      expectNoPassword(store)
    }
  })

  it('works at an IPv6 address', async () => {
    const server = await start({ ...users.startOptions, host: '::1' })
    const servers = `memcached://${user}:${encodeURIComponent(password)}@[::1]:${server.port}`
    await expectEveryOperation(open({ servers }), key)
  })

  describe('over TLS', () => {
    let authority: Authority
    beforeAll(async () => {
      authority = await makeAuthority()
    })
    afterAll(() => authority.remove())

    it('M11: every operation works', async () => {
      const { certFile, keyFile } = await authority.sign(['127.0.0.1'])
      const { args = [], env = {} } = users.startOptions
      const secured = ['-Z', '-o', `ssl_chain_cert=${certFile},ssl_key=${keyFile}`]
      const server = await start({ args: [...args, ...secured], env })
      const servers = inAddress(user, password, server).replace('memcached:', 'memcacheds:')
      await expectEveryOperation(open({ servers, tls: { ca: authority.cert } }), key)
      const wrong = open({ servers: servers.replace(':hunter2', ':wrong'), tls: { ca: authority.cert } })
      expect((await rejection(wrong.get(key, 100))).cause.message).toBe(REFUSED)
    })

    it('M11: tells the password to nobody whose certificate is not accepted', async () => {
      const impostor = await makeAuthority()
      onEnd(() => impostor.remove())
      let received = 0
      const server = createServer(await impostor.sign(['127.0.0.1']), (socket) => {
        socket.on('data', (bytes) => (received += bytes.length)).on('error', () => {})
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      onEnd(() => server.close())
      const { port } = server.address() as AddressInfo
      const servers = inAddress(user, password, { port }).replace('memcached:', 'memcacheds:')
      await rejection(open({ servers, tls: { ca: authority.cert } }).get(key, 100))
      expect(received).toBe(0)
    })
  })
})

function expectNoPassword(subject: object): void {
  const text = [
    inspect(subject, { depth: 10, showHidden: true, getters: true }),
    JSON.stringify(subject),
    subject instanceof Error && `${subject.stack} ${String(subject.cause)}`,
  ].join('\n')
  expect(text).not.toContain('hunter2')
  // As a buffer shows it.
  expect(text).not.toContain('68 75 6e 74 65 72 32')
  expect(text).not.toContain(Buffer.from('hunter2').toString('base64').slice(0, 9))
}
