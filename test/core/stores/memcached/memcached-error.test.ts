import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { MemcachedErrorCode } from '../../../../src/core/stores/memcached/memcached-error.ts'
import {
  MemcachedStore,
  type MemcachedStoreOptions,
} from '../../../../src/core/stores/memcached/memcached-store.ts'
import { replyTo, type FakeReply } from '../../../support/fake-server.ts'
import { useServers } from '../../../support/servers.ts'

const { onEnd, memcached, fake } = useServers()

const key = 'k'.repeat(43)
const credentials = { username: 'horatio', password: 'hunter2' }
const silent = () => fake(() => {})
const closing = () => fake(({ socket }) => socket.end())
const answering = (reply: FakeReply) => () =>
  fake((request) => void request.socket.write(replyTo(request, reply)))

async function withUsersInText() {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-users-'))
  onEnd(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'users'), 'horatio:hunter2\n')
  return memcached('-Y', join(folder, 'users'))
}

async function stopped() {
  const server = await memcached()
  await server.stop()
  return server
}

function open({ port }: { port: number }, options: Partial<MemcachedStoreOptions> = {}): MemcachedStore {
  const store = new MemcachedStore({ servers: `127.0.0.1:${port}`, ...options })
  onEnd(() => store.close())
  return store
}

/** Of what an operation that must fail was caused by. */
async function codeOf(work: Promise<unknown>): Promise<unknown> {
  const error: unknown = await work.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )
  return (error as { cause: { code?: unknown } }).cause.code
}

type Failing = [
  string,
  () => Promise<{ port: number }>,
  Partial<MemcachedStoreOptions>,
  MemcachedErrorCode | 'ECONNREFUSED',
]

const patient = { operationTimeoutMs: 5000, connectTimeoutMs: 5000 }

describe('The cause of an outage has a code', () => {
  it.each<Failing>([
    ['where nothing listens', stopped, patient, 'ECONNREFUSED'],
    ['of a server that is silent', silent, {}, 'ERR_ANSWER_TIMEOUT'],
    ['of a server that is silent when signed in to', silent, credentials, 'ERR_SIGN_IN_TIMEOUT'],
    ['of memcached -B ascii', () => memcached('-B', 'ascii'), {}, 'ERR_ANSWER_TIMEOUT'],
    [
      'of memcached -B ascii, signed in to',
      () => memcached('-B', 'ascii'),
      credentials,
      'ERR_SIGN_IN_TIMEOUT',
    ],
    ['of memcached -Y', withUsersInText, {}, 'ERR_ANSWER_TIMEOUT'],
    ['of memcached -Y, signed in to', withUsersInText, credentials, 'ERR_SIGN_IN_TIMEOUT'],
    ['of a server that is silent to TLS', silent, { tls: true }, 'ERR_HANDSHAKE_TIMEOUT'],
    ['of silence to TLS, before any sign-in', silent, { tls: true, ...credentials }, 'ERR_HANDSHAKE_TIMEOUT'],
    ['of a connection that ends', closing, patient, 'ERR_CONNECTION_LOST'],
    ['of one that ends at the sign-in', closing, { ...patient, ...credentials }, 'ERR_CONNECT_FAILED'],
    ['of garbage', answering({ magic: 0 }), patient, 'ERR_CONNECTION_LOST'],
    ['of a sign-in that is wanted', answering({ status: 0x20 }), patient, 'ERR_SIGN_IN_MISSING'],
    [
      'of a sign-in that is refused',
      answering({ status: 0x20 }),
      { ...patient, ...credentials },
      'ERR_SIGN_IN_REFUSED',
    ],
    ['of a sign-in without -S', () => memcached(), { ...patient, ...credentials }, 'ERR_SIGN_IN_UNSUPPORTED'],
    [
      'of a sign-in that finds the server busy',
      answering({ status: 0x85 }),
      { ...patient, ...credentials },
      'ERR_REFUSED',
    ],
    ['of a refusal', answering({ status: 0x85 }), patient, 'ERR_REFUSED'],
    ['of full memory', answering({ status: 0x82 }), patient, 'ERR_OUT_OF_MEMORY'],
  ])('F2: %s', async (_, start, options, code) => {
    expect(await codeOf(open(await start(), options).get(key, 100))).toBe(code)
  })

  it('F2: of a handshake that fails', async () => {
    const server = await fake(() => {})
    const store = open(server, { ...patient, tls: true })
    const refused = codeOf(store.get(key, 100))
    await expect.poll(() => server.sockets.size).toBe(1)
    for (const socket of server.sockets) socket.write('ERROR\r\n')
    expect(await refused).toBe('ERR_HANDSHAKE_FAILED')
  })

  it('M13: of memcached -C', async () => {
    const store = open(await memcached('-C'), patient)
    expect(await codeOf(store.add(key, new Uint8Array(1), 100))).toBe('ERR_NO_VERSIONS')
    expect(await codeOf(store.replace(key, new Uint8Array(1), 100, new Uint8Array(8)))).toBe(
      'ERR_NO_VERSIONS',
    )
  })

  it('M8: of an answer that the repetition waits for in vain', async () => {
    const server = await fake(({ connection, socket }) => {
      if (connection === 1) socket.destroy()
    })
    expect(await codeOf(open(server).get(key, 100))).toBe('ERR_ANSWER_TIMEOUT')
    expect(server.requests).toHaveLength(2)
  })

  it('F4: of a server that is left alone, of one operation too many, and of a closed store', async () => {
    const left = open(await answering({ status: 0x20 })(), patient)
    expect(await codeOf(left.get(key, 100))).toBe('ERR_SIGN_IN_MISSING')
    expect(await codeOf(left.get(key, 100))).toBe('ERR_BREAKER_OPEN')
    const store = open(await silent(), { ...patient, maxInFlight: 1 })
    const first = codeOf(store.get(key, 100))
    expect(await codeOf(store.get(key, 100))).toBe('ERR_TOO_MANY_WAITING')
    await store.close()
    expect(await first).toBe('ERR_STORE_CLOSED')
    expect(await codeOf(store.get(key, 100))).toBe('ERR_STORE_CLOSED')
  })
})
