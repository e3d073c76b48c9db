import { once } from 'node:events'
import { createRequire } from 'node:module'
import { connect, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Server } from 'memjs'
import { describe, expect, it, vi } from 'vitest'
import { Connection } from '../../../../src/core/stores/memcached/connection.ts'
import { MemcachedError } from '../../../../src/core/stores/memcached/memcached-error.ts'
import type { ConnectionOptions } from '../../../../src/core/stores/memcached/settings.ts'
import { encodeRequest, Reply } from '../../../../src/core/stores/memcached/protocol.ts'
import {
  foundReply,
  replyTo,
  startFakeServer,
  type FakeReply,
  type FakeRequest,
  type FakeServer,
} from '../../../support/fake-server.ts'
import { useServers } from '../../../support/servers.ts'

const GET_AND_TOUCH = 0x1d
const NOOP = 0x0a

const { onEnd, memcached, fake } = useServers()

/** A deadline that only a hang would reach, where the deadline is not what is tested. */
function open(port: number, options: Partial<ConnectionOptions> = {}): Connection {
  const connection = new Connection(
    { host: '127.0.0.1', port },
    { operationTimeoutMs: 5000, connectTimeoutMs: 5000, maxInFlight: 1024, ...options },
  )
  onEnd(() => connection.close())
  return connection
}

/** One operation, exactly as `Client.perform` does it. */
let sequence = 0
function ask(connection: Server, key: string, opcode = GET_AND_TOUCH): Promise<Reply> {
  const ttl = opcode === GET_AND_TOUCH ? 100 : undefined
  const request = encodeRequest({ opcode, key, ttl }, ++sequence)
  return new Promise((resolve, reject) => {
    connection.onResponse(sequence, resolve as never)
    connection.onError(sequence, reject)
    connection.write(request)
  })
}

async function valueOf(reply: Promise<Reply>): Promise<string> {
  return (await reply).value.toString()
}

async function elapsed(work: Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work
  return performance.now() - start
}

/** Answers with a value that names the key, so that a mixed-up reply is seen. */
function honest(request: FakeRequest): void {
  request.socket.write(foundReply(request, Buffer.from(`value of ${request.key}`)))
}

describe('memjs still exposes what Connection stands on', () => {
  it('is the version whose insides are replaced', () => {
    const require = createRequire(import.meta.url)
    expect(require('memjs/package.json').version).toBe('1.3.2')
    expect(require('../../../../package.json').dependencies.memjs).toBe('1.3.2')
  })

  it('perform calls onResponse, onError and write, in this order, and nothing else', () => {
    const touched: [name: string, ...args: unknown[]][] = []
    const server = new Proxy({} as Server, {
      get: (_, name) =>
        name === 'wakeupAt' ? undefined : (...args: unknown[]) => touched.push([String(name), ...args]),
    })
    const request = Buffer.from('request')
    new Client([server], { retries: 1, failover: false }).perform('key', request, 7, () => {})
    expect(touched).toEqual([
      ['onResponse', 7, expect.any(Function)],
      ['onError', 7, expect.any(Function)],
      ['write', request],
    ])
  })

  it('perform hands on the reply, or the error after one try', () => {
    const answers: ((response: unknown) => void)[] = []
    const failures: ((error: Error) => void)[] = []
    const write = vi.fn()
    const server = {
      onResponse: (_: number, answer: (response: unknown) => void) => answers.push(answer),
      onError: (_: number, fail: (error: Error) => void) => failures.push(fail),
      write,
    } as unknown as Server
    const client = new Client([server], { retries: 1, failover: false, logger: { log() {} } })
    const callback = vi.fn()
    client.perform('key', Buffer.alloc(0), 1, callback)
    answers[0]!('reply')
    expect(callback.mock.lastCall).toEqual([null, 'reply'])
    client.perform('key', Buffer.alloc(0), 2, callback)
    failures[1]!(new Error('lost'))
    expect(callback.mock.lastCall).toEqual([new Error('lost'), null])
    expect(write).toHaveBeenCalledTimes(2)
  })

  it('asks getServer where a key lives, except when there is one server', () => {
    const servers = ['a', 'b'].map((host) => new Server(host, 1, 'unused', 'unused'))
    const client = new Client(servers)
    client.getServer = () => '1'
    expect(client.server('key')).toBe(servers[1])
    const alone = new Client([servers[0]!])
    alone.getServer = () => '1'
    expect(alone.server('key')).toBe(servers[0])
  })
})

describe('Connection', () => {
  it('connects with the first operation, and once', async () => {
    const server = await fake(honest)
    const connection = open(server.port)
    // Had it connected by itself, that connection would have come before this one.
    const other = connect(server.port, '127.0.0.1')
    await once(other, 'connect')
    other.destroy()
    await ask(open(server.port), 'other')
    expect(server.connections).toBe(2)
    for (let index = 0; index < 3; index++) {
      expect(await valueOf(ask(connection, `key ${index}`))).toBe(`value of key ${index}`)
    }
    expect(server.connections).toBe(3)
  })

  it('M1: rejects all in flight at once when the server closes cleanly, and then connects anew', async () => {
    const server = await fake((request) => {
      if (request.connection > 1) honest(request)
      else if (server.requests.length === 3) request.socket.end()
    })
    const connection = open(server.port)
    const lost = ['a', 'b', 'c'].map((key) => ask(connection, key))
    const time = await elapsed(
      Promise.all(lost.map((reply) => expect(reply).rejects.toThrow('the server closed the connection'))),
    )
    expect(time).toBeLessThan(1000)
    expect(await valueOf(ask(connection, 'd'))).toBe('value of d')
  })

  it('M1: rejects all in flight at once when memcached is killed', async () => {
    const server = await memcached()
    const connection = open(server.port)
    await ask(connection, 'a')
    await server.freeze()
    const lost = ['a', 'b', 'c'].map((key) => ask(connection, key))
    const time = elapsed(Promise.allSettled(lost))
    await server.stop()
    expect(await time).toBeLessThan(1000)
    for (const reply of lost) await expect(reply).rejects.toThrow(Error)
  })

  it('M1: rejects when the connection is reset, and when it is refused', async () => {
    const server = await fake(({ socket }) => socket.resetAndDestroy())
    const connection = open(server.port)
    const reset = ask(connection, 'a')
    await expect(reset).rejects.toThrow(Error)
    await server.close()
    await expect(ask(connection, 'b')).rejects.toThrow(expect.objectContaining({ code: 'ECONNREFUSED' }))
  })

  it('M2: a frozen server under a steady stream of requests: every one settles by its deadline', async () => {
    const server = await memcached()
    const connection = open(server.port, { operationTimeoutMs: 100 })
    await ask(connection, 'warm')
    await server.freeze()
    const times: Promise<number>[] = []
    // 20 ms apart: each write would put memjs's idle timer off once more.
    for (let index = 0; index < 25; index++) {
      times.push(elapsed(expect(ask(connection, `key ${index}`)).rejects.toThrow(/no answer in time$/)))
      await sleep(20)
    }
    // An operation may go earlier than its own deadline, together with the one that it waited behind.
    for (const time of await Promise.all(times)) expect(time).toBeLessThan(300)
  })

  it('M2: answers that keep coming do not put off the deadline of one that does not', async () => {
    const server = await fake((request) => {
      if (request.key !== 'stuck') honest(request)
    })
    const connection = open(server.port, { operationTimeoutMs: 100 })
    const stream = setInterval(() => void ask(connection, 'other').catch(() => {}), 5)
    onEnd(() => clearInterval(stream))
    await ask(connection, 'first')
    const stuck = ask(connection, 'stuck')
    expect(await elapsed(expect(stuck).rejects.toThrow(Error))).toBeLessThan(400)
  })

  it('F2: every operation has its whole deadline, and no more, when an earlier one was answered', async () => {
    const server = await fake((request) => {
      if (request.key === 'slow') setTimeout(() => honest(request), 150)
    })
    const connection = open(server.port, { operationTimeoutMs: 200 })
    const slow = ask(connection, 'slow')
    await sleep(100)
    const time = elapsed(expect(ask(connection, 'stuck')).rejects.toThrow('no answer in time'))
    expect(await valueOf(slow)).toBe('value of slow')
    expect(await time).toBeGreaterThan(195)
    expect(await time).toBeLessThan(340)
  })

  it('F2: the deadline includes connecting, which has its own as well', async () => {
    const server = await memcached('-b', '1')
    await server.freeze()
    // A full backlog: the kernel lets further connections wait.
    const waiting = Array.from({ length: 4 }, () => connect(server.port, '127.0.0.1').on('error', () => {}))
    onEnd(() => waiting.forEach((socket) => socket.destroy()))
    await Promise.all(waiting.slice(0, 2).map((socket) => once(socket, 'connect')))

    for (const limits of [{ connectTimeoutMs: 50 }, { operationTimeoutMs: 50 }]) {
      const replies = Promise.allSettled([
        ask(open(server.port, limits), 'a'),
        ask(open(server.port, limits), 'b'),
      ])
      expect(await elapsed(replies)).toBeLessThan(500)
      for (const reply of await replies) {
        expect(reply).toMatchObject({ status: 'rejected', reason: new MemcachedError('ERR_CONNECT_TIMEOUT') })
      }
    }
  })

  it('F2: an answer that arrived while the event loop was blocked counts', async () => {
    const server = await memcached()
    const connection = open(server.port, { operationTimeoutMs: 50 })
    await ask(connection, 'warm')
    const reply = ask(connection, 'key')
    await new Promise((resolve) => setImmediate(resolve))
    const blockedUntil = performance.now() + 100
    while (performance.now() < blockedUntil);
    await expect(reply).resolves.toMatchObject({ status: 1 })
  })

  describe.each([
    ['is closed', (socket: Socket) => socket.end()],
    ['is reset', (socket: Socket) => socket.resetAndDestroy()],
    ['stalls', () => {}],
  ])('M3: a reply that was cut when the connection %s', (_, cut) => {
    it('is an error at every byte offset, and the next answer is exact', async () => {
      const replyBytes = foundReply(
        { opcode: 0, opaque: Buffer.alloc(4) } as FakeRequest,
        Buffer.from('value of a'),
      ).length
      await Promise.all(
        Array.from({ length: replyBytes }, async (_, offset) => {
          let sendRest = () => {}
          const server = await startFakeServer((request) => {
            if (request.connection > 1) {
              sendRest()
              honest(request)
              return
            }
            const reply = foundReply(request, Buffer.from('value of a'))
            request.socket.write(reply.subarray(0, offset), () => cut(request.socket))
            sendRest = () => request.socket.write(reply.subarray(offset))
          })
          const connection = open(server.port, { operationTimeoutMs: 500 })
          await expect(ask(connection, 'a')).rejects.toThrow(Error)
          const after = await Promise.all(['b', 'c'].map((key) => valueOf(ask(connection, key))))
          expect(after).toEqual(['value of b', 'value of c'])
          await server.close()
        }),
      )
    })
  })

  it('M3: a reply in single bytes, and replies all in one piece, are put together exactly', async () => {
    const held: Buffer[] = []
    const server = await fake((request) => {
      const reply = foundReply(request, Buffer.from(`value of ${request.key}`))
      if (request.key === 'slowly') {
        void (async () => {
          for (const byte of reply) {
            request.socket.write(Buffer.from([byte]))
            await new Promise((resolve) => setImmediate(resolve))
          }
        })()
      } else if (held.push(reply) === 3) {
        // The third is cut in two, in its header.
        const all = Buffer.concat(held)
        const cut = all.length - reply.length + 10
        request.socket.write(all.subarray(0, cut))
        setTimeout(() => request.socket.write(all.subarray(cut)), 20)
      }
    })
    const connection = open(server.port)
    expect(await valueOf(ask(connection, 'slowly'))).toBe('value of slowly')
    expect(await Promise.all(['a', 'b', 'c'].map((key) => valueOf(ask(connection, key))))).toEqual([
      'value of a',
      'value of b',
      'value of c',
    ])
    expect(server.connections).toBe(1)
  })

  it('M3: replies of up to maxBytes arrive whole', async () => {
    const large = Buffer.alloc(1_000_000, 'large')
    const server = await fake((request) => void request.socket.write(foundReply(request, large)))
    const connection = open(server.port)
    const replies = await Promise.all([ask(connection, 'a'), ask(connection, 'b')])
    for (const reply of replies) expect(reply.value.equals(large)).toBe(true)
  })

  it.each<[string, FakeReply]>([
    ['another magic', { magic: 0x80 }],
    ['another opcode', { opcode: NOOP }],
    ['another opaque', { opaque: Buffer.from('ffffffff', 'hex') }],
    ['a key longer than the body', { keyLength: 20, bodyLength: 10 }],
    ['extras longer than the body', { extras: Buffer.alloc(4), bodyLength: 3 }],
    [
      'extras and key together longer than the body',
      { extras: Buffer.alloc(4), keyLength: 4, bodyLength: 7 },
    ],
    ['a body longer than any record', { bodyLength: 2 ** 30 + 1025 }],
    ['a body of 4 GiB', { bodyLength: 2 ** 32 - 1 }],
    ['a value without its flags', { value: Buffer.from('value of a') }],
    ['flags of another length', { extras: Buffer.alloc(2), value: Buffer.from('value of a') }],
    ['a key in front of the value', { extras: Buffer.alloc(4), keyLength: 1, value: Buffer.from('a value') }],
    ['flags that belong to no value', { status: 1, extras: Buffer.alloc(4) }],
  ])('M3: a reply with %s ends the connection and all in flight', async (_, reply) => {
    const server = await fake((request) => {
      if (request.connection > 1) honest(request)
      else if (server.requests.length === 2) request.socket.write(replyTo(server.requests[0]!, reply))
    })
    const connection = open(server.port)
    const [first, second] = await Promise.allSettled([ask(connection, 'a'), ask(connection, 'b')])
    for (const outcome of [first, second]) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { message: expect.stringContaining('the reply does not fit the request') },
      })
    }
    expect(await valueOf(ask(connection, 'c'))).toBe('value of c')
    expect(server.connections).toBe(2)
  })

  it('M3: replies in the wrong order are errors, never swapped', async () => {
    const server = await fake((request) => {
      if (server.requests.length === 2) for (const late of server.requests.toReversed()) honest(late)
      else if (request.connection > 1) honest(request)
    })
    const connection = open(server.port)
    const outcomes = await Promise.allSettled([ask(connection, 'a'), ask(connection, 'b')])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await valueOf(ask(connection, 'c'))).toBe('value of c')
  })

  it('M3: bytes that nobody asked for end the connection, and the next answer is exact', async () => {
    const server = await fake(honest)
    const connection = open(server.port)
    expect(await valueOf(ask(connection, 'a'))).toBe('value of a')
    // Too short to be a header, so there is nothing else to tell them by.
    const [socket] = server.sockets
    socket!.write('hello')
    await once(socket!, 'close')
    expect(await valueOf(ask(connection, 'b'))).toBe('value of b')
    expect(server.connections).toBe(2)
  })

  it('M3: a reply given twice answers one request and ends the connection', async () => {
    const server = await fake((request) => {
      const reply = foundReply(request, Buffer.from(`value of ${request.key}`))
      request.socket.write(request.connection === 1 ? Buffer.concat([reply, reply]) : reply)
    })
    const connection = open(server.port)
    expect(await valueOf(ask(connection, 'a'))).toBe('value of a')
    expect(await valueOf(ask(connection, 'b'))).toBe('value of b')
    expect(server.connections).toBe(2)
  })

  describe('F4: maxInFlight', () => {
    /** One that begins what a request does: as the client does it. */
    function begin(connection: Connection, key: string): Promise<Reply> {
      const refusal = connection.refusal(false)
      return refusal ? Promise.reject(refusal) : ask(connection, key)
    }

    it('F4: above it operations that begin something fail at once, and are not sent', async () => {
      const held: FakeRequest[] = []
      const server = await fake((request) => {
        if (held.push(request) >= 3) for (const each of held.splice(0)) honest(each)
      })
      const connection = open(server.port, { maxInFlight: 3 })
      const replies = ['a', 'b', 'c'].map((key) => begin(connection, key))
      const refused = expect(begin(connection, 'd')).rejects.toThrow('maxInFlight: 3 operations are waiting')
      expect(await elapsed(refused)).toBeLessThan(100)
      expect(await Promise.all(replies.map(valueOf))).toEqual(['value of a', 'value of b', 'value of c'])
      expect(server.requests.map(({ key }) => key)).toEqual(['a', 'b', 'c'])
      // And there is room again.
      const more = ['e', 'f', 'g'].map((key) => valueOf(begin(connection, key)))
      expect(await Promise.all(more)).toEqual(['value of e', 'value of f', 'value of g'])
    })

    it('F4: what follows is let through, up to four times as many', async () => {
      const held: FakeRequest[] = []
      const server = await fake((request) => {
        if (held.push(request) >= 12) for (const each of held.splice(0)) honest(each)
      })
      const connection = open(server.port, { maxInFlight: 3 })
      const keys = Array.from({ length: 12 }, (_, index) => `key ${index}`)
      const replies = keys.map((key) => ask(connection, key))
      await expect(ask(connection, 'more')).rejects.toThrow('maxInFlight: 12 operations are waiting')
      await expect(begin(connection, 'more')).rejects.toThrow('maxInFlight: 3 operations are waiting')
      expect(await Promise.all(replies.map(valueOf))).toEqual(keys.map((key) => `value of ${key}`))
      expect(server.requests.map(({ key }) => key)).toEqual(keys)
    })

    it('F4: being full is no failure of the server', async () => {
      const server = await fake((request) => {
        if (request.key !== 'held') honest(request)
      })
      const connection = open(server.port, { maxInFlight: 1 })
      const held = begin(connection, 'held')
      const refused = await Promise.allSettled(Array.from({ length: 10 }, () => begin(connection, 'more')))
      expect(refused.map(({ status }) => status)).toEqual(Array(10).fill('rejected'))
      while (server.requests.length === 0) await sleep(1)
      honest(server.requests[0]!)
      expect(await valueOf(held)).toBe('value of held')
      expect(await valueOf(begin(connection, 'more'))).toBe('value of more')
    })
  })

  describe('F4: after five failures in a row', () => {
    /** Fails until `heal` is called. */
    async function failing(): Promise<{ server: FakeServer; connection: Connection; heal(): void }> {
      let isHealed = false
      const server = await fake((request) => {
        if (isHealed) honest(request)
        else request.socket.destroy()
      })
      return { server, connection: open(server.port), heal: () => void (isHealed = true) }
    }

    async function fail(connection: Connection, times: number): Promise<void> {
      for (let index = 0; index < times; index++) {
        await expect(ask(connection, `visitor ${index}`)).rejects.toThrow(Error)
      }
    }

    it('operations fail at once, saying why, and none is sent', async () => {
      const { server, connection } = await failing()
      await fail(connection, 5)
      expect(server.requests).toHaveLength(5)
      const startedAt = performance.now()
      for (let index = 0; index < 100; index++) {
        await expect(ask(connection, 'more')).rejects.toThrow('the server keeps failing and is not asked')
      }
      expect(performance.now() - startedAt).toBeLessThan(400)
      expect(server.requests.filter(({ opcode }) => opcode !== NOOP)).toHaveLength(5)
    })

    it('it probes with no operation of a visitor, about once a second, and goes on when that is answered', async () => {
      const { server, connection, heal } = await failing()
      await fail(connection, 5)
      const openedAt = performance.now()
      while (server.requests.length < 7) await sleep(10)
      // Two probes of half a second to one second each.
      expect(performance.now() - openedAt).toBeGreaterThan(990)
      expect(performance.now() - openedAt).toBeLessThan(2600)
      heal()
      let value: string | undefined
      while (value === undefined) {
        value = await valueOf(ask(connection, 'again')).catch(() => undefined)
        await sleep(10)
      }
      expect(value).toBe('value of again')
      expect(server.requests.slice(5).map(({ opcode, key }) => [opcode, key])).toEqual([
        [NOOP, ''],
        [NOOP, ''],
        [NOOP, ''],
        [GET_AND_TOUCH, 'again'],
      ])
    })

    it('one answer in between begins the count anew', async () => {
      const server = await fake((request) => {
        if (request.key === 'good') honest(request)
        else request.socket.destroy()
      })
      const connection = open(server.port)
      for (let round = 0; round < 3; round++) {
        await fail(connection, 4)
        expect(await valueOf(ask(connection, 'good'))).toBe('value of good')
      }
    })

    it('a lost connection counts once, however many operations it takes along', async () => {
      const server = await fake((request) => {
        if (request.key === 'last') request.socket.destroy()
        else if (request.key === 'good') honest(request)
      })
      const connection = open(server.port)
      const lost = Array.from({ length: 20 }, (_, index) => ask(connection, index < 19 ? 'held' : 'last'))
      expect((await Promise.allSettled(lost)).map(({ status }) => status)).toEqual(Array(20).fill('rejected'))
      expect(await valueOf(ask(connection, 'good'))).toBe('value of good')
    })

    it('refusals of a healthy server do not count', async () => {
      const server = await fake((request) => void request.socket.write(replyTo(request, { status: 0x82 })))
      const connection = open(server.port)
      for (let index = 0; index < 10; index++) {
        expect((await ask(connection, 'full')).status).toBe(0x82)
      }
    })

    it('the end of an idle connection does not count', async () => {
      const server = await fake((request) => {
        if (request.key === 'good') honest(request)
        else request.socket.destroy()
      })
      const connection = open(server.port)
      await ask(connection, 'good')
      const [socket] = server.sockets
      socket!.end()
      await once(socket!, 'close')
      await fail(connection, 4)
      expect(await valueOf(ask(connection, 'good'))).toBe('value of good')
    })

    it('a server that lets us in and then does not answer is no better than one that does not', async () => {
      const AUTHENTICATE = 0x21
      const server = await fake((request) => {
        if (request.opcode === AUTHENTICATE) request.socket.write(replyTo(request))
      })
      const credentials = { username: 'horatio', password: 'hunter2' }
      const connection = open(server.port, { operationTimeoutMs: 100, credentials })
      await fail(connection, 5)
      await expect(ask(connection, 'a')).rejects.toThrow('the server keeps failing and is not asked')
    })

    it('closing the store ends the probes', async () => {
      const { server, connection } = await failing()
      await fail(connection, 5)
      connection.close()
      await sleep(1100)
      expect(server.requests).toHaveLength(5)
      await expect(ask(connection, 'more')).rejects.toThrow('the store has been closed')
    })
  })

  it('F2: time that the handler itself spent before the event loop went on does not count', async () => {
    const server = await memcached()
    const connection = open(server.port, { operationTimeoutMs: 50 })
    await ask(connection, 'warm')
    const reply = ask(connection, 'key')
    const blockedUntil = performance.now() + 100
    while (performance.now() < blockedUntil);
    await expect(reply).resolves.toMatchObject({ status: 1 })
  })

  it('M11: takes no credentials from the environment, and sends none', async () => {
    vi.stubEnv('MEMCACHIER_USERNAME', 'hunter').stubEnv('MEMCACHIER_PASSWORD', 'hunter2')
    vi.stubEnv('MEMCACHE_USERNAME', 'hunter').stubEnv('MEMCACHE_PASSWORD', 'hunter2')
    onEnd(() => vi.unstubAllEnvs())
    const server = await fake(honest)
    const connection = open(server.port)
    expect([connection.username, connection.password].join()).not.toContain('hunter')
    await ask(connection, 'a')
    expect(server.requests.map(({ opcode }) => opcode)).toEqual([GET_AND_TOUCH])
  })

  it('M12: the requests of one event-loop turn are one write, connecting or connected', async () => {
    const server = await memcached()
    const write = vi.spyOn(Socket.prototype, 'write')
    onEnd(() => write.mockRestore())
    const connection = open(server.port)
    for (const state of ['connecting', 'connected']) {
      write.mockClear()
      const replies = await Promise.all(
        Array.from({ length: 50 }, (_, index) => ask(connection, `${state} ${index}`)),
      )
      expect(replies.map(({ status }) => status)).toEqual(Array(50).fill(1))
      expect(write).toHaveBeenCalledTimes(1)
    }
  })

  it('ends at once when closed: in flight and later operations reject', async () => {
    const server = await fake(() => {})
    const connection = open(server.port)
    const replies = ['a', 'b'].map((key) => ask(connection, key))
    connection.close()
    for (const reply of replies) await expect(reply).rejects.toThrow('the store has been closed')
    await expect(ask(connection, 'c')).rejects.toThrow('the store has been closed')
    connection.close()

    const unused = open(server.port)
    unused.close()
    await expect(ask(unused, 'a')).rejects.toThrow('the store has been closed')
    expect(server.requests).toEqual([])
  })

  it('closes its socket when closed', async () => {
    const server = await fake(honest)
    const connection = open(server.port)
    await ask(connection, 'a')
    const [socket] = server.sockets
    const closed = once(socket!, 'close')
    connection.close()
    await closed
  })
})
