import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { StoreUnavailableError } from '../../../../src/core/errors.ts'
import {
  MemcachedStore,
  type MemcachedStoreOptions,
} from '../../../../src/core/stores/memcached/memcached-store.ts'
import { makeAuthority, type Authority, type Certificate } from '../../../support/certificates.ts'
import { expectEveryOperation } from '../../../support/every-operation.ts'
import { startMemcached, type Memcached, type StartOptions } from '../../../support/memcached.ts'
import { ownRuntime, runScript } from '../../../support/process.ts'
import { useServers } from '../../../support/servers.ts'

const { onEnd, memcached } = useServers()

const key = 'k'.repeat(43)

let authority: Authority
let stranger: Authority
let local: Certificate

beforeAll(async () => {
  authority = await makeAuthority()
  stranger = await makeAuthority()
  local = await authority.sign(['localhost', '127.0.0.1', '::1'])
})
afterAll(() => Promise.all([authority.remove(), stranger.remove()]))

async function startSecured(
  { certFile, keyFile }: Certificate,
  more: readonly string[] = [],
  options: StartOptions = {},
): Promise<Memcached> {
  const tls = [`ssl_chain_cert=${certFile}`, `ssl_key=${keyFile}`, ...more].join()
  const server = await startMemcached({ ...options, args: ['-Z', '-o', tls] })
  onEnd(() => server.stop())
  return server
}

/** What every client of `memcached -o ssl_verify_mode=2` must show: a certificate of the authority. */
const askingForCertificates = () => ['ssl_verify_mode=2', `ssl_ca_cert=${authority.certFile}`]

/** Without the default deadlines: what is looked at here is not how fast a busy machine is. */
function open(options: MemcachedStoreOptions): MemcachedStore {
  const store = new MemcachedStore({ operationTimeoutMs: 2000, connectTimeoutMs: 2000, ...options })
  onEnd(() => store.close())
  return store
}

const serversOf = ({ port }: { port: number }, host = '127.0.0.1') => `${host}:${port}`

/** What a read was refused for, which must not have taken up its deadline. */
async function reasonOf(store: MemcachedStore): Promise<string> {
  const start = performance.now()
  const error: unknown = await store.get(key, 100).then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )
  expect(performance.now() - start).toBeLessThan(1500)
  expect(error).toBeInstanceOf(StoreUnavailableError)
  return (error as Error & { cause: Error }).cause.message
}

describe('TLS', () => {
  it.each<[string, (servers: string) => MemcachedStoreOptions]>([
    ['by the scheme', (servers) => ({ servers: `memcacheds://${servers}`, tls: { ca: authority.cert } })],
    ['by an option', (servers) => ({ servers, tls: { ca: authority.cert } })],
    [
      'with an authority in bytes',
      (servers) => ({ servers, tls: { ca: new TextEncoder().encode(authority.cert) } }),
    ],
    [
      'with several authorities',
      (servers) => ({ servers, tls: { ca: [stranger.cert, Buffer.from(authority.cert)] } }),
    ],
  ])('M11: every operation works, asked for %s', async (_, options) => {
    const server = await startSecured(local)
    await expectEveryOperation(open(options(serversOf(server))), key)
    await expectEveryOperation(open(options(serversOf(server, 'localhost'))), key)
  })

  it('M11: values of a million bytes, several at a time, arrive whole', async () => {
    const server = await startSecured(local)
    const store = open({ servers: serversOf(server), tls: { ca: authority.cert } })
    const values = Array.from({ length: 5 }, (_, index) => new Uint8Array(1_000_000).fill(index + 1))
    const keyOf = (index: number) => `${index}`.padStart(43, 'k')
    await Promise.all(values.map((bytes, index) => store.add(keyOf(index), bytes, 100)))
    const records = await Promise.all(values.map((_, index) => store.get(keyOf(index), 100)))
    for (const [index, record] of records.entries())
      expect(Buffer.compare(record!.bytes, values[index]!)).toBe(0)
  })

  it('M11: connects anew when the server was restarted', async () => {
    const server = await startSecured(local)
    const store = open({ servers: serversOf(server), tls: { ca: authority.cert } })
    await expectEveryOperation(store, key)
    await server.stop()
    await startSecured(local, [], { port: server.port })
    await vi.waitFor(() => store.get(key, 100), { timeout: 2000, interval: 20 })
    await expectEveryOperation(store, key)
  })

  it('works at an IPv6 address', async () => {
    const { address } = await startSecured(local, [], { host: '::1' })
    const servers = address.replace('memcached:', 'memcacheds:')
    const store = open({ servers, tls: { ca: authority.cert } })
    if (matchesIPv6) await expectEveryOperation(store, key)
    else expect(await reasonOf(store)).toMatch(/^the TLS handshake failed: .*::1/)
  })

  it('M11: accepts a certificate for the servername that it was told', async () => {
    const server = await startSecured(await authority.sign(['sessions.example']))
    const tls = { ca: authority.cert, servername: 'sessions.example' }
    await expectEveryOperation(open({ servers: serversOf(server), tls }), key)
    const another = { ...tls, servername: 'other.example' }
    expect(await reasonOf(open({ servers: serversOf(server), tls: another }))).toMatch(
      /other\.example.+sessions\.example/,
    )
  })

  it.each<[string, () => Promise<Certificate>, RegExp]>([
    ['of an unknown authority', () => stranger.sign(['127.0.0.1']), /unable to verify/],
    [
      'for another address',
      () => authority.sign(['127.0.0.2', 'localhost']),
      /127\.0\.0\.1 is not in .*127\.0\.0\.2/,
    ],
    ['for a name', () => authority.sign(['localhost']), /127\.0\.0\.1 is not in /],
    [
      'that has expired',
      () => authority.sign(['127.0.0.1'], { start: '-10d' }),
      inDeno(/unable to verify/) ?? /certificate has expired/,
    ],
    [
      'that is not yet valid',
      () => authority.sign(['127.0.0.1'], { start: '+10d' }),
      inDeno(/unable to verify/) ?? /not yet valid/,
    ],
  ])('M11: refuses a certificate %s, and says why', async (_, sign, why) => {
    const server = await startSecured(await sign())
    const tls = { ca: authority.cert }
    const reason = await reasonOf(open({ servers: serversOf(server), tls }))
    expect(reason).toMatch(/^the TLS handshake failed: /)
    expect(reason).toMatch(why)
  })

  it('M11: refuses a certificate for another name, and says why', async () => {
    const server = await startSecured(await authority.sign(['sessions.example', '127.0.0.1']))
    const tls = { ca: authority.cert }
    expect(await reasonOf(open({ servers: serversOf(server, 'localhost'), tls }))).toMatch(
      /^the TLS handshake failed: .*localhost.+ is not in .+sessions\.example/,
    )
  })

  it('M11: trusts the authorities of the runtime alone unless told others', async () => {
    const server = await startSecured(local)
    expect(await reasonOf(open({ servers: `memcacheds://${serversOf(server)}` }))).toMatch(/unable to verify/)
    expect(await reasonOf(open({ servers: serversOf(server), tls: true }))).toMatch(/unable to verify/)
  })

  it.each([`memcacheds://SERVER`, { servers: 'SERVER', tls: true }])(
    'M11: trusts the authorities of the runtime, and a script that never closes its store ends by itself (%j)',
    async (options) => {
      const server = await startSecured(local)
      const module = new URL('../../../../src/core/stores/memcached/memcached-store.ts', import.meta.url).href
      const script = `
        const { MemcachedStore } = await import(${JSON.stringify(module)})
        const options = ${JSON.stringify(options).replace('SERVER', serversOf(server))}
        const store = new MemcachedStore(options)
        await store.set('${key}', new Uint8Array(3), 100)
        console.log((await store.get('${key}', 100)).bytes.length)`
      const { certFile } = authority
      expect(await runScript(script, { NODE_EXTRA_CA_CERTS: certFile, DENO_CERT: certFile })).toBe('3')
    },
  )

  it('M11: verifies whatever NODE_TLS_REJECT_UNAUTHORIZED says', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    onEnd(() => vi.unstubAllEnvs())
    const server = await startSecured(await stranger.sign(['127.0.0.1']))
    const tls = { ca: authority.cert }
    expect(await reasonOf(open({ servers: serversOf(server), tls }))).toMatch(/unable to verify/)
  })

  describe('with a certificate of the client', () => {
    it('M11: every operation works', async () => {
      const server = await startSecured(local, askingForCertificates())
      const { cert, key: privateKey } = await authority.sign(['client.example'])
      const tls = { ca: authority.cert, cert, key: privateKey }
      await expectEveryOperation(open({ servers: serversOf(server), tls }), key)
      const inBytes = { ...tls, cert: Buffer.from(cert), key: Buffer.from(privateKey) }
      await expectEveryOperation(open({ servers: serversOf(server), tls: inBytes }), key)
    })

    it('M11: says that the server asks for one', async () => {
      const server = await startSecured(local, askingForCertificates())
      const store = open({ servers: serversOf(server), tls: { ca: authority.cert } })
      expect(await reasonOf(store)).toMatch(/certificate.?required/i)
    })

    it('M11: says that the server does not accept it', async () => {
      const server = await startSecured(local, askingForCertificates())
      const { cert, key: privateKey } = await stranger.sign(['client.example'])
      const tls = { ca: authority.cert, cert, key: privateKey }
      expect(await reasonOf(open({ servers: serversOf(server), tls }))).toMatch(/unknown.?ca/i)
    })
  })

  it('F2: says so when the server does not speak TLS', async () => {
    const server = await memcached()
    const store = open({ servers: serversOf(server), tls: { ca: authority.cert } })
    expect(await reasonOf(store)).toMatch(/^the TLS handshake failed: /)
  })

  it('F2: rejects at once when only the server speaks TLS', async () => {
    const server = await startSecured(local)
    expect(await reasonOf(open({ servers: serversOf(server) }))).toMatch(
      /ECONNRESET|the server closed the connection/,
    )
  })

  it('F2: a server that leaves the handshake unanswered costs no more than the deadline', async () => {
    const silent = createServer((socket) => void socket.resume().on('error', () => {}))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    onEnd(() => silent.close())
    const servers = serversOf(silent.address() as AddressInfo)
    const store = open({ servers, tls: { ca: authority.cert }, operationTimeoutMs: 100 })
    expect(await reasonOf(store)).toBe('no answer to the TLS handshake in time')
  })
})

/** Node from 22.23, and from 24.17 to 24.20, matches no IPv6 address of a certificate (nodejs/node#64032). */
const matchesIPv6 =
  checkServerIdentity('::1', { subject: {}, subjectaltname: 'IP Address:0:0:0:0:0:0:0:1' } as never) ===
  undefined

/** Deno refuses a certificate out of its time like any that it cannot verify, and says no more. */
function inDeno(words: RegExp): RegExp | undefined {
  return ownRuntime === 'Deno' ? words : undefined
}
