import { describe, expect, it, vi } from 'vitest'
import { StoreUnavailableError } from '../../../../src/core/errors.ts'
import { parseServers, serverName } from '../../../../src/core/stores/memcached/address.ts'
import { MemcachedClient } from '../../../../src/core/stores/memcached/client.ts'
import { rendezvous } from '../../../../src/core/stores/memcached/placement.ts'
import { expiry } from '../../../../src/core/stores/memcached/protocol.ts'
import { foundReply, replyTo } from '../../../support/fake-server.ts'
import { startMemcached, type Memcached } from '../../../support/memcached.ts'
import { useServers } from '../../../support/servers.ts'

const { onEnd, memcached, fake } = useServers()

function open(
  ports: number | readonly number[],
  options: { timeoutMs?: number; firstSequence?: number } = {},
) {
  const { timeoutMs = 5000, firstSequence } = options
  const { servers } = parseServers([ports].flat().map((port) => `127.0.0.1:${port}`))
  const bounds = { maxInFlight: 1024 }
  const client = new MemcachedClient(
    servers,
    { operationTimeoutMs: timeoutMs, connectTimeoutMs: timeoutMs, ...bounds },
    firstSequence,
  )
  onEnd(() => client.close())
  return client
}

async function fails(work: Promise<unknown>): Promise<string> {
  return work.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error: Error) => {
      expect(error).toBeInstanceOf(StoreUnavailableError)
      return (error.cause as Error).message
    },
  )
}

const apples = Buffer.from('apples')
const pears = Buffer.from('pears')

/** Every operation that asks the server. */
const operations: [string, (client: MemcachedClient) => Promise<unknown>][] = [
  ['get', (client) => client.get('key')],
  ['getAndTouch', (client) => client.get('key', 100)],
  ['add', (client) => client.add('key', apples, 100)],
  ['replace', (client) => client.replace('key', apples, 100, new Uint8Array(8).fill(1))],
  ['set', (client) => client.set('key', apples, 100)],
  ['delete', (client) => client.delete('key')],
]

describe('MemcachedClient', () => {
  it.each([
    ['2^31', 2 ** 31 - 5],
    ['2^32', 2 ** 32 - 5],
  ])('M4: works on past %s operations', async (_, firstSequence) => {
    const server = await memcached()
    const client = open(server.port, { firstSequence })
    for (let index = 0; index < 10; index++) {
      await client.add(`key ${index}`, Buffer.from(String(index)), 100)
      const found = await client.get(`key ${index}`, 100)
      expect(Buffer.from(found!.bytes).toString()).toBe(String(index))
    }
  })

  it('M4: numbers its requests with all 32 bits', async () => {
    const server = await fake((request) => void request.socket.write(replyTo(request, { status: 1 })))
    const client = open(server.port, { firstSequence: 2 ** 32 - 3 })
    await Promise.all(Array.from({ length: 4 }, () => client.get('key', 100)))
    expect(server.requests.map(({ opaque }) => opaque.readUInt32BE())).toEqual([
      2 ** 32 - 2,
      2 ** 32 - 1,
      0,
      1,
    ])
  })

  it('M6: refused for its size, a swap leaves the old value and its version', async () => {
    const server = await memcached('-I', '512k')
    const client = open(server.port)
    const version = (await client.add('key', apples, 100))!
    const large = Buffer.alloc(600_000)
    expect(await fails(client.replace('key', large, 100, version))).toBe('memcached refused: value too large')
    expect(await client.get('key', 100)).toEqual({ bytes: new Uint8Array(apples), version })
    expect(await fails(client.add('other', large, 100))).toBe('memcached refused: value too large')
    // Why a swap is no SET:
    expect(await fails(client.set('key', large, 100))).toBe('memcached refused: value too large')
    expect(await client.get('key', 100)).toBeUndefined()
  })

  it('M6: refused for want of memory, a swap leaves the old value and its version', async () => {
    const server = await memcached('-M', '-m', '2')
    const client = open(server.port)
    const version = (await client.add('key', apples, 100))!
    const bulk = Buffer.alloc(100_000)
    const adds = Array.from({ length: 60 }, (_, index) => client.add(`bulk ${index}`, bulk, 100))
    expect((await Promise.allSettled(adds)).at(-1)).toMatchObject({
      status: 'rejected',
      reason: { cause: new Error('memcached refused: out of memory') },
    })
    expect(await fails(client.replace('key', bulk, 100, version))).toBe('memcached refused: out of memory')
    expect(await client.get('key', 100)).toEqual({ bytes: new Uint8Array(apples), version })
  })

  it('M7: every write and every read sends more than 30 days as a Unix time', async () => {
    const server = await memcached()
    const client = open(server.port)
    const ttl = 31 * 24 * 60 * 60
    const remaining = async () => Number(/t(-?\d+)/.exec(await server.text('mg key t'))?.[1])
    const lasts = async () => expect(Math.abs((await remaining()) - ttl)).toBeLessThan(5)

    const version = (await client.add('key', apples, ttl))!
    await lasts()
    await client.get('key', 60)
    await client.get('key', ttl)
    await lasts()
    await client.replace('key', pears, 60, version)
    expect(await remaining()).toBeLessThanOrEqual(60)
    await client.set('key', pears, ttl)
    await lasts()
    const found = (await client.get('key', 60))!
    await client.replace('key', pears, ttl, found.version as Uint8Array)
    await lasts()
  })

  it.each(operations)(
    'M8, F2: %s is sent again only if that does no harm, and once',
    async (name, operate) => {
      const server = await fake(({ socket }) => socket.destroy())
      const client = open(server.port)
      // memjs sends again, 200 ms later, before it gives up.
      await fails(operate(client))
      expect(server.requests).toHaveLength(['get', 'getAndTouch', 'delete'].includes(name) ? 2 : 1)
    },
  )

  it('F2: what is sent again has what is left of the deadline', async () => {
    const server = await fake(({ connection, socket }) => {
      if (connection === 1) setTimeout(() => socket.destroy(), 150)
    })
    const client = open(server.port, { timeoutMs: 300 })
    const startedAt = performance.now()
    expect(await fails(client.get('key', 100))).toBe('no answer in time')
    expect(performance.now() - startedAt).toBeGreaterThan(290)
    expect(performance.now() - startedAt).toBeLessThan(440)
    expect(server.requests).toHaveLength(2)
  })

  it('F2: what was not answered in time is not sent again', async () => {
    const server = await fake(() => {})
    expect(await fails(open(server.port, { timeoutMs: 50 }).get('key', 100))).toBe('no answer in time')
    expect(server.requests).toHaveLength(1)
  })

  it('F2: a connection that is lost once is not noticed by who reads', async () => {
    const server = await fake((request) => {
      if (request.connection === 1) request.socket.destroy()
      else request.socket.write(foundReply(request, apples))
    })
    const read = [
      (client: MemcachedClient) => client.get('key', 100),
      (client: MemcachedClient) => client.get('key'),
    ]
    for (const get of read) {
      server.connections = 0
      const found = await get(open(server.port))
      expect(Buffer.from(found!.bytes).toString()).toBe('apples')
      expect(server.connections).toBe(2)
    }
  })

  it('reads what the server says of itself, in as many replies as it takes', async () => {
    const server = await memcached('-m', '100')
    const client = open(server.port)
    const [stats, settings] = await Promise.all([client.stats(), client.stats('settings')])
    expect(stats.get('pid')).toBe(String(server.pid))
    expect(settings.get('maxbytes')).toBe(String(100 * 1024 * 1024))
    await client.add('key', apples, 100)
    expect((await client.stats('items')).size).toBeGreaterThan(5)
    expect([...stats.keys()]).not.toContain('')
  })

  it('M8, I2: no server steps in for one that is down, then or later', async () => {
    const servers = await Promise.all([memcached(), memcached(), memcached()])
    const client = open(servers.map(({ port }) => port))
    const place = rendezvous(servers.map(({ port }) => `127.0.0.1:${port}`))
    const keys = Array.from({ length: 60 }, (_, index) => `key-${index}`)
    await Promise.all(keys.map((key) => client.add(key, apples, 100)))
    await servers[1]!.stop()

    for (let round = 0; round < 2; round++) {
      const found = await Promise.allSettled(keys.map((key) => client.get(key, 100)))
      for (const [index, key] of keys.entries()) {
        expect(found[index]!.status).toBe(place(key) === 1 ? 'rejected' : 'fulfilled')
      }
    }
    const items = await Promise.all([servers[0]!, servers[2]!].map((server) => countItems(server)))
    expect(items[0]! + items[1]!).toBe(keys.filter((key) => place(key) !== 1).length)
  })

  it('M9, I1: keys live where rendezvous puts them, in whatever order the servers are listed', async () => {
    const servers = await Promise.all([memcached(), memcached(), memcached()])
    const ports = servers.map(({ port }) => port)
    const client = open(ports)
    const keys = Array.from({ length: 60 }, (_, index) => `key-${index}`)
    await Promise.all(keys.map((key) => client.add(key, apples, 100)))

    const names = parseServers(ports.map((port) => `127.0.0.1:${port}`)).servers.map(serverName)
    const place = rendezvous(names)
    for (const key of keys) {
      const holders = await Promise.all(servers.map((server) => server.text(`mg ${key}`)))
      expect(holders.map((answer) => answer.startsWith('HD'))).toEqual(
        servers.map((_, index) => index === place(key)),
      )
    }
    const reversed = open(ports.toReversed())
    for (const key of keys) expect(await reversed.get(key, 100)).toBeDefined()
  })

  it('M10: prints nothing, whatever goes wrong', async () => {
    const methods = ['log', 'info', 'warn', 'error', 'debug'] as const
    const output = [
      ...methods.map((method) => vi.spyOn(console, method)),
      vi.spyOn(process.stdout, 'write'),
      vi.spyOn(process.stderr, 'write'),
    ]
    onEnd(() => output.forEach((spy) => spy.mockRestore()))
    const server = await fake((request) => {
      if (request.connection > 1) request.socket.write(replyTo(request, { status: 0x84 }))
      else request.socket.destroy()
    })
    const client = open(server.port)
    for (const [, operate] of operations) await fails(operate(client))
    await server.close()
    await fails(client.get('key', 100))
    for (const spy of output) expect(spy).not.toHaveBeenCalled()
  })

  it('M13: refuses a memcached without versions, naming -C', async () => {
    const server = await memcached('-C')
    const client = open(server.port)
    expect(await fails(client.add('key', apples, 100))).toContain('start it without -C')
    await server.text('set other 0 100 6\r\napples')
    expect(await fails(client.get('other', 100))).toContain('start it without -C')
    expect(await fails(client.get('other'))).toContain('start it without -C')
    expect(await client.get('missing', 100)).toBeUndefined()
    expect(await client.get('missing')).toBeUndefined()
  })

  it('M13: never swaps with version 0, which would be unconditional', async () => {
    const server = await memcached()
    const client = open(server.port)
    await client.add('key', apples, 100)
    expect(await fails(client.replace('key', pears, 100, new Uint8Array(8)))).toContain('-C')
    expect(Buffer.from((await client.get('key', 100))!.bytes).toString()).toBe('apples')
  })

  it('M14: after a cold restart a swap finds nothing and makes nothing', async () => {
    const server = await startMemcached()
    const client = open(server.port)
    const version = (await client.add('key', apples, 100))!
    await server.stop()
    const restarted = await startMemcached({ port: server.port })
    onEnd(() => restarted.stop())
    expect(await client.replace('key', pears, 100, version)).toEqual({ outcome: 'missing' })
    expect(await client.get('key', 100)).toBeUndefined()
    // Why a key is never used twice: what is added there now has the very version of what was lost.
    expect(await client.add('key', pears, 100)).toEqual(version)
  })

  it('M15: get-and-touch sets the time to live of what it finds, and leaves the version', async () => {
    const server = await memcached()
    const client = open(server.port)
    const version = (await client.add('key', apples, 100))!
    for (const ttl of [1000, 50]) {
      expect(await client.get('key', ttl)).toEqual({ bytes: new Uint8Array(apples), version })
      const remaining = Number(/^HD t(\d+)/.exec(await server.text('mg key t'))?.[1])
      expect(ttl - remaining).toBeGreaterThanOrEqual(0)
      expect(ttl - remaining).toBeLessThan(5)
    }
    expect(await client.replace('key', pears, 100, version)).toMatchObject({ outcome: 'replaced' })
  })

  it('M15: get leaves both the time to live and the version alone', async () => {
    const server = await memcached()
    const client = open(server.port)
    const version = (await client.add('key', apples, 1000))!
    await client.get('key', 100)
    expect(await client.get('key')).toEqual({ bytes: new Uint8Array(apples), version })
    const remaining = Number(/^HD t(-?\d+)/.exec(await server.text('mg key t'))?.[1])
    expect(100 - remaining).toBeGreaterThanOrEqual(0)
    expect(100 - remaining).toBeLessThan(5)
    expect(await client.replace('key', pears, 100, version)).toMatchObject({ outcome: 'replaced' })
  })

  it('sends a version back exactly as it came, all 8 bytes of it', async () => {
    const version = Buffer.from('fedcba9876543211', 'hex')
    const server = await fake((request) => {
      const reply = request.opcode === 0x1d ? foundReply(request, apples) : replyTo(request)
      version.copy(reply, 16)
      request.socket.write(reply)
    })
    const client = open(server.port)
    const found = (await client.get('key', 100))!
    const swapped = await client.replace('key', pears, 100, found.version as Uint8Array)
    expect(server.requests[1]!.version.equals(version)).toBe(true)
    expect(swapped).toEqual({ outcome: 'replaced', version: new Uint8Array(version) })
  })

  it('holds on to nothing of what the socket read but the value itself', async () => {
    const server = await memcached()
    const client = open(server.port)
    await client.add('key', apples, 100)
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 ? client.get('key') : client.get('key', 100))),
    )
    for (const reply of replies) {
      expect(reply!.bytes.buffer.byteLength).toBe(apples.length)
      expect((reply!.version as Uint8Array).buffer.byteLength).toBe(8)
    }
  })

  it('puts a reply in many pieces together once, not anew with each piece', async () => {
    const server = await memcached()
    const client = open(server.port)
    await client.add('key', Buffer.alloc(1_000_000), 100)
    const concat = vi.spyOn(Buffer, 'concat')
    onEnd(() => concat.mockRestore())
    expect((await client.get('key', 100))!.bytes).toHaveLength(1_000_000)
    expect(concat.mock.calls.length).toBeLessThanOrEqual(2)
  })

  it.each([
    [0x03, 'value too large'],
    [0x04, 'invalid arguments'],
    [0x81, 'unknown command'],
    [0x82, 'out of memory'],
    [0x84, 'internal error'],
    [0x85, 'busy'],
    [0x86, 'temporary failure'],
    [0x1234, 'status 0x1234'],
  ])('names a refusal with status %i, and stays connected', async (status, name) => {
    const server = await fake((request) => {
      request.socket.write(replyTo(request, { status, value: Buffer.from('text of the server') }))
    })
    const client = open(server.port)
    for (const [, operate] of operations)
      expect(await fails(operate(client))).toBe(`memcached refused: ${name}`)
    expect(server.connections).toBe(1)
  })
})

describe('A server that wants credentials and gets none', () => {
  it('is left alone at once, and is not asked anew with every operation', async () => {
    const server = await fake((request) => void request.socket.end(replyTo(request, { status: 0x20 })))
    const client = open(server.port)
    const outcomes = await Promise.allSettled(operations.map(([, operate]) => operate(client)))
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        reason: { cause: new Error('memcached wants a username and a password') },
      })
    }
    for (const [, operate] of operations) {
      expect(await fails(operate(client))).toContain('memcached wants a username and a password')
    }
    expect(server.connections).toBe(1)
  })
})

describe('expiry', () => {
  const day = 24 * 60 * 60
  const now = 1_800_000_000

  it.each([
    [1, 1],
    [day, day],
    [30 * day, 30 * day],
    [30 * day + 1, now + 30 * day + 1],
    [400 * day, now + 400 * day],
  ])('M7: %i s is sent as %i', (ttl, sent) => {
    expect(expiry(ttl, now)).toBe(sent)
  })

  it('M7: the furthest future there is fits the four bytes', () => {
    expect(expiry(Number.MAX_SAFE_INTEGER, now)).toBe(2 ** 32 - 1)
  })
})

async function countItems(server: Memcached): Promise<number> {
  return Number(/STAT curr_items (\d+)/.exec(await server.text('stats'))?.[1])
}
