import { access, mkdtemp, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createSessionManager, type SessionEvent } from '../../../../src/core/index.ts'
import {
  MemcachedStore,
  type MemcachedStoreOptions,
} from '../../../../src/core/stores/memcached/memcached-store.ts'
import type { StoreNotice } from '../../../../src/core/stores/store.ts'
import { makeAuthority } from '../../../support/certificates.ts'
import { replyTo, type FakeReply, type FakeRequest } from '../../../support/fake-server.ts'
import { startMemcached, type Memcached, type StartOptions } from '../../../support/memcached.ts'
import { runScript } from '../../../support/process.ts'
import { makeUsers } from '../../../support/sasl.ts'
import { useServers } from '../../../support/servers.ts'
import { secret } from '../../../support/stores.ts'
import { visit } from '../../../support/visit.ts'

const STAT = 0x10
const MISSING = 1
const key = 'k'.repeat(43)

const { onEnd, memcached, fake } = useServers()

/** Lets time pass, for who looks at the monotonic clock. */
let leap: (ms: number) => void
beforeEach(() => {
  const now = performance.now.bind(performance)
  let ahead = 0
  leap = (ms) => void (ahead += ms)
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + ahead)
  onEnd(() => clock.mockRestore())
})

interface Watched {
  store: MemcachedStore
  told: StoreNotice[]
  types(): string[]
}

/** Without the default deadlines: what is looked at here is not how fast a busy machine is. */
function watch(options: MemcachedStoreOptions): Watched {
  const store = new MemcachedStore({ operationTimeoutMs: 2000, connectTimeoutMs: 2000, ...options })
  onEnd(() => store.close())
  const told: StoreNotice[] = []
  store.watch((notice) => told.push(notice))
  return { store, told, types: () => told.map(({ type }) => type) }
}

const serverOf = ({ port }: { port: number }) => `127.0.0.1:${port}`

/** Operations of a visitor, one after the other; replies come in order, so that what they set off is answered by the end. */
async function use({ store }: Watched, times = 3): Promise<void> {
  for (let done = 0; done < times; done++) await store.get(key, 100).catch(() => {})
}

/** What chance makes of a second at the least. */
function probeEveryHalfSecond(): void {
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.99)
  onEnd(() => random.mockRestore())
}

async function start(options: StartOptions): Promise<Memcached> {
  const server = await startMemcached(options)
  onEnd(() => server.stop())
  return server
}

/** A warm restart keeps what a server holds that has been up for some seconds: it is started first and used last. */
let old: Memcached
let oldArgs: string[]
let folder: string
beforeAll(async () => {
  const memory = await access('/dev/shm').then(
    () => '/dev/shm',
    () => tmpdir(),
  )
  folder = await mkdtemp(join(memory, 'holdfast-watch-'))
  oldArgs = ['-e', join(folder, 'sessions.mem')]
  old = await startMemcached({ args: oldArgs })
})
afterAll(async () => {
  await old.stop()
  await rm(folder, { recursive: true })
})

async function refusalOf(operation: Promise<unknown>): Promise<string> {
  const error = await operation.then(
    () => expect.fail('was not refused'),
    (error: Error) => error,
  )
  return (error.cause as { code: string }).code
}

describe('A memcached that is watched', () => {
  it('K3, F4: 100 requests a second to one that is gone: down and up are told once, and no refusal in between', async () => {
    const server = await memcached()
    const events: SessionEvent[] = []
    const store = new MemcachedStore(serverOf(server))
    onEnd(() => store.close())
    const manager = createSessionManager({ store, secret, onEvent: (event) => events.push(event) })
    const { cookie } = await visit(manager, undefined, (session) => session.set('user', 'u1'))
    const read = () => visit(manager, cookie, (session) => session.get('user').catch(() => 'refused'))
    await read()
    await read()
    events.length = 0

    // One fails while visitors come, the next is answered.
    probeEveryHalfSecond()
    await server.stop()
    leap(60_000)
    const visits = []
    for (let index = 0; index < 65; index++) {
      visits.push(read())
      await sleep(10)
    }
    expect((await Promise.all(visits)).map(({ result }) => result)).toEqual(Array(65).fill('refused'))
    const isOfServer = ({ type }: SessionEvent) => type.startsWith('server-')
    expect(events.filter(isOfServer)).toEqual([
      expect.objectContaining({
        type: 'server-down',
        server: serverOf(server),
        error: expect.objectContaining({ code: 'ECONNREFUSED' }),
      }),
    ])
    const failures = events.filter(({ type }) => type === 'store-error')
    const codes = failures.map(({ error }) => ((error as Error).cause as { code: string }).code)
    expect(new Set(codes)).not.toContain('ERR_BREAKER_OPEN')
    expect(failures.length).toBeLessThan(30)

    const late: StoreNotice[] = []
    store.watch((notice) => late.push(notice))
    expect(late.map(({ type }) => type)).toEqual(['server-down'])

    await start({ port: server.port })
    await expect.poll(() => late.length, { interval: 10, timeout: 5000 }).toBe(3)
    for (let index = 0; index < 20; index++) await read()
    const all = ['server-down', 'server-up', 'server-restarted']
    expect(late.map(({ type }) => type)).toEqual(all)
    expect(events.filter(isOfServer).map(({ type }) => type)).toEqual(all)
  })

  it('K3, F4: one that is frozen and goes on is down and up, and not restarted', async () => {
    const server = await memcached()
    const watched = watch({ servers: serverOf(server), operationTimeoutMs: 50 })
    probeEveryHalfSecond()
    await use(watched)
    await server.freeze()
    await use(watched, 10)
    server.thaw()
    await expect.poll(() => watched.told.length, { interval: 10, timeout: 5000 }).toBe(2)
    await use(watched)
    expect(watched.told).toEqual([
      {
        type: 'server-down',
        server: serverOf(server),
        error: expect.objectContaining({ code: 'ERR_ANSWER_TIMEOUT' }),
      },
      { type: 'server-up', server: serverOf(server) },
    ])
  })

  it.each<[string, () => Promise<[StartOptions, Partial<MemcachedStoreOptions>]>]>([
    ['as it comes', async () => [{}, {}]],
    [
      'with SASL',
      async () => {
        const users = await makeUsers()
        onEnd(() => users.remove())
        await users.setPassword('horatio', 'hunter2')
        return [users.startOptions, { username: 'horatio', password: 'hunter2' }]
      },
    ],
    [
      'with TLS',
      async () => {
        const authority = await makeAuthority()
        onEnd(() => authority.remove())
        const { certFile, keyFile } = await authority.sign(['127.0.0.1'])
        const args = ['-Z', '-o', `ssl_chain_cert=${certFile},ssl_key=${keyFile}`]
        return [{ args }, { tls: { ca: authority.cert } }]
      },
    ],
  ])('K3: tells once that it was restarted, by its name: %s', async (_, prepare) => {
    const [startOptions, storeOptions] = await prepare()
    const servers = await Promise.all([start(startOptions), start(startOptions)])
    const watched = watch({ servers: servers.map(serverOf), ...storeOptions })
    // Keys on both.
    const useBoth = async () => {
      for (let index = 0; index < 10; index++)
        await watched.store.get(String(index).padStart(43, 'k'), 100).catch(() => {})
    }
    await useBoth()
    leap(30_000)
    await servers[1]!.stop()
    await start({ ...startOptions, port: servers[1]!.port })
    await useBoth()
    leap(60_000)
    await useBoth()
    expect(watched.told).toEqual([{ type: 'server-restarted', server: serverOf(servers[1]!) }])
  })

  it('K3: tells nothing of what was before it was watched', async () => {
    const server = await memcached()
    await server.text('flush_all')
    const watched = watch({ servers: serverOf(server) })
    await use(watched)
    leap(60_000)
    await use(watched)
    expect(watched.told).toEqual([])
  })

  it.each([
    ['flush_all', [], ['server-flushed']],
    ['flush_all 1000', [], ['server-flushed']],
    ['flush_all', ['-F'], []],
  ])('K3: of %s with %j it tells %j, once', async (command, args, expected) => {
    const server = await memcached(...args)
    const watched = watch({ servers: serverOf(server) })
    await use(watched)
    await server.text(command)
    expect(await server.text('stats')).toContain('STAT cmd_flush 1\r\n')
    await use(watched)
    expect(watched.told).toEqual([])
    for (let minute = 0; minute < 2; minute++) {
      leap(60_000)
      await use(watched)
      expect(watched.types()).toEqual(expected)
    }
  })

  it('K3: tells how much it evicted, and since when', async () => {
    const server = await memcached('-m', '2')
    const watched = watch({ servers: serverOf(server) })
    const before = Date.now()
    await use(watched)
    const baselineAt = Date.now()
    const bytes = new Uint8Array(400_000)
    for (let index = 0; index < 20; index++)
      await watched.store.set(String(index).padStart(43, 'k'), bytes, 100)
    leap(60_000)
    await use(watched)
    const evictions = Number(/STAT evictions (\d+)/.exec(await server.text('stats'))?.[1])
    expect(watched.told).toEqual([
      { type: 'server-evicting', server: serverOf(server), count: evictions, since: expect.any(Number) },
    ])
    expect(evictions).toBeGreaterThan(0)
    expect(watched.told[0]!.since).toBeGreaterThanOrEqual(before)
    expect(watched.told[0]!.since).toBeLessThanOrEqual(baselineAt)
    await server.text('stats reset')
    leap(60_000)
    await use(watched)
    expect(watched.told).toHaveLength(1)
  })

  it('K3: a visit costs the commands that it cost before', async () => {
    const server = await memcached()
    const manager = createSessionManager({ store: new MemcachedStore(serverOf(server)), secret })
    onEnd(() => manager.close())
    const commands = async () => {
      const stats = await server.text('stats')
      return ['cmd_touch', 'cmd_set', 'cmd_flush'].map((name) =>
        Number(new RegExp(`${name} (\\d+)`).exec(stats)![1]),
      )
    }
    const { cookie } = await visit(manager, undefined, (session) => session.set('user', 'u1'))
    expect(await commands()).toEqual([0, 1, 0])
    leap(60_000)
    await visit(manager, cookie, () => {})
    expect(await commands()).toEqual([0, 1, 0])
    await visit(manager, cookie, (session) => session.get('user'))
    expect(await commands()).toEqual([1, 1, 0])
    leap(60_000)
    await visit(manager, cookie, (session) => session.set('user', 'u2'))
    expect(await commands()).toEqual([2, 2, 0])
  })

  it('K3: lets a process end by itself', async () => {
    const server = await memcached()
    const store = new URL('../../../../src/core/stores/memcached/memcached-store.ts', import.meta.url)
    const script = `
      import { MemcachedStore } from '${store}'
      const store = new MemcachedStore('${serverOf(server)}')
      store.watch(console.log)
      console.log(await store.get('${key}', 100))`
    expect(await runScript(script)).toBe('undefined')
  })

  it('K3: of a warm restart it tells nothing', async () => {
    const watched = watch({ servers: serverOf(old) })
    await watched.store.set(key, new Uint8Array(1), 1000)
    await use(watched)
    await old.stop('SIGUSR1')
    // Started again within the second in which it stopped, memcached mistrusts its file and begins empty.
    await sleep(1100)
    old = await startMemcached({ port: old.port, args: oldArgs })
    await use(watched)
    expect(await watched.store.get(key, 1000)).toBeDefined()
    expect(watched.told).toEqual([])
  })
})

/** Answers every operation, and a STAT by `stat`, on each connection in the order in which they came. */
function answering(stat: (request: FakeRequest) => unknown): (request: FakeRequest) => void {
  const answered = new WeakMap<Socket, Promise<void>>()
  return (request) => {
    const { socket, opcode } = request
    const previous = answered.get(socket) ?? Promise.resolve()
    const answer = async () => {
      if (opcode === STAT) await stat(request)
      else socket.write(replyTo(request, { status: MISSING }))
    }
    answered.set(socket, previous.then(answer))
  }
}

const stats = (entries: Record<string, string | number>) => (request: FakeRequest) => {
  for (const [name, value] of [...Object.entries(entries), ['', '']])
    request.socket.write(
      replyTo(request, { value: Buffer.from(`${name}${value}`), keyLength: String(name).length }),
    )
}
const reply = (given: FakeReply) => (request: FakeRequest) =>
  void request.socket.write(replyTo(request, given))
const HEALTHY = { pid: 1, uptime: 100, time: 1_000_100, cmd_flush: 0, evictions: 0 }

describe('The STAT of a watch', () => {
  const statsOf = ({ requests }: { requests: FakeRequest[] }) =>
    requests.filter(({ opcode }) => opcode === STAT).length

  it('K3: is one on each connection and one a minute, however many operations and listeners there are', async () => {
    let inFlight = 0
    let most = 0
    const answer = answering(async (request) => {
      await sleep(20)
      inFlight--
      stats(HEALTHY)(request)
    })
    const server = await fake((request) => {
      if (request.opcode === STAT) most = Math.max(most, ++inFlight)
      answer(request)
    })
    const watched = watch({ servers: serverOf(server) })
    watched.store.watch(() => {})
    for (let minute = 1; minute <= 3; minute++) {
      await Promise.all(Array.from({ length: 100 }, () => use(watched, 3)))
      expect(statsOf(server)).toBe(minute)
      leap(59_000)
      await use(watched)
      expect(statsOf(server)).toBe(minute)
      leap(1_000)
    }
    await watched.store.get(key, 100)
    leap(60_000)
    await use(watched)
    // Due again since, and asked once the other had been answered.
    expect([statsOf(server), most]).toEqual([5, 1])
    for (const socket of server.sockets) socket.destroy()
    await expect.poll(() => server.sockets.size).toBe(0)
    await use(watched)
    expect([statsOf(server), server.connections, most]).toEqual([6, 2, 1])
  })

  it('K3: goes to nobody who is not watched', async () => {
    const server = await fake(answering(() => {}))
    const store = new MemcachedStore(serverOf(server))
    onEnd(() => store.close())
    for (let index = 0; index < 3; index++) await store.get(key, 100)
    expect(statsOf(server)).toBe(0)
  })

  it('K3, F4: takes no place of an operation: maxInFlight', async () => {
    let isAnswered = false
    const server = await fake(
      answering(async (request) => {
        await sleep(50)
        isAnswered = true
        stats(HEALTHY)(request)
      }),
    )
    const watched = watch({ servers: serverOf(server), maxInFlight: 1 })
    await watched.store.get(key, 100)
    const behind = watched.store.get(key, 100)
    expect([await refusalOf(watched.store.get(key, 100)), isAnswered]).toEqual([
      'ERR_TOO_MANY_WAITING',
      false,
    ])
    await behind
    expect(isAnswered).toBe(true)
  })

  it.each<[string, (request: FakeRequest) => void]>([
    ['an error', reply({ status: 0x81 })],
    ['nothing', reply({})],
    ['half of it', stats({ pid: 1, uptime: 100 })],
    ['no numbers', stats({ ...HEALTHY, evictions: 'many' })],
  ])('K3: to %s, nothing is told and no operation fails', async (_, stat) => {
    let isWell = true
    const server = await fake(answering((request) => (isWell ? stats(HEALTHY)(request) : stat(request))))
    const watched = watch({ servers: serverOf(server) })
    for (const next of [true, false, false, true]) {
      isWell = next
      for (let index = 0; index < 3; index++) await watched.store.get(key, 100)
      leap(60_000)
    }
    expect(statsOf(server)).toBe(4)
    // Time went on by minutes, the server's uptime did not; but it is the same.
    expect(watched.told).toEqual([])
  })

  it.each<[string, (request: FakeRequest) => unknown]>([
    ['is silent', () => new Promise(() => {})],
    ['hangs up', ({ socket }) => void socket.destroy()],
    ['sends garbage', ({ socket }) => void socket.write('ERROR\r\n'.padEnd(24))],
  ])('K3: is sent twice, and never again, to a server that %s', async (_, stat) => {
    const server = await fake(answering(stat))
    const watched = watch({ servers: serverOf(server), operationTimeoutMs: 50 })
    for (let tries = 0; tries < 5; tries++) await use(watched)
    expect(statsOf(server)).toBe(2)
    leap(60_000)
    for (let index = 0; index < 5; index++) await watched.store.get(key, 100)
    expect(statsOf(server)).toBe(2)
  })

  it('K3: a flush is told also where settings are kept back', async () => {
    let flushes = 0
    const server = await fake(
      answering((request) => {
        if (request.key === '') stats({ ...HEALTHY, cmd_flush: flushes })(request)
        else reply({ status: 0x81 })(request)
      }),
    )
    const watched = watch({ servers: serverOf(server) })
    await use(watched)
    flushes++
    leap(60_000)
    await use(watched)
    expect(watched.told).toEqual([{ type: 'server-flushed', server: serverOf(server) }])
  })

  it('K3: a listener that fails, now or later, harms nobody', async () => {
    let flushes = 0
    const server = await fake(answering((request) => stats({ ...HEALTHY, cmd_flush: flushes })(request)))
    const store = new MemcachedStore(serverOf(server))
    onEnd(() => store.close())
    store.watch(() => {
      throw new Error('a listener')
    })
    store.watch((async () => {
      throw new Error('a listener, later')
    }) as () => void)
    const told: StoreNotice[] = []
    store.watch((notice) => told.push(notice))
    for (flushes of [0, 1]) {
      for (let index = 0; index < 3; index++) await store.get(key, 100)
      leap(60_000)
    }
    expect(told.map(({ type }) => type)).toEqual(['server-flushed'])
  })

  const allBut = (entries: Record<string, string | number>) => (request: FakeRequest) => {
    for (const [name, value] of Object.entries(entries))
      request.socket.write(
        replyTo(request, { value: Buffer.from(`${name}${value}`), keyLength: name.length }),
      )
  }

  it('K3: an answer that breaks off is none, and the next connection is asked again', async () => {
    const flushed = { ...HEALTHY, cmd_flush: 1 }
    const server = await fake(
      answering((request) => {
        if (request.key === 'settings') return stats({ flush_enabled: 'yes' })(request)
        if (request.connection === 1) return stats(HEALTHY)(request)
        if (request.connection > 2) return stats(flushed)(request)
        allBut(flushed)(request)
        request.socket.end()
      }),
    )
    const watched = watch({ servers: serverOf(server) })
    await use(watched)
    for (const socket of server.sockets) socket.destroy()
    await expect.poll(async () => (await use(watched), server.connections)).toBeGreaterThan(2)
    await expect.poll(watched.types).toEqual(['server-flushed'])
  })

  it('K3: does not outlive the store', async () => {
    let times = 0
    const server = await fake(
      answering((request) => {
        if (++times === 1) stats(HEALTHY)(request)
        else allBut({ ...HEALTHY, cmd_flush: 1, evictions: 5 })(request)
      }),
    )
    const watched = watch({ servers: serverOf(server) })
    await use(watched)
    leap(60_000)
    await watched.store.get(key, 100)
    await expect.poll(() => statsOf(server)).toBe(2)
    await watched.store.close()
    expect(watched.told).toEqual([])
  })
})
