import { readFileSync } from 'node:fs'
import { Redis, type RedisOptions } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createSessionManager, StoreUnavailableError, type SessionEvent } from '../../src/core/index.ts'
import { slotOf, type RedisClient } from '../../src/core/stores/redis/redis-client.ts'
import { RedisStore } from '../../src/core/stores/redis/redis-store.ts'
import { diagnose, linesOf } from '../../src/doctor/doctor.ts'
import { makeAuthority } from '../support/certificates.ts'
import { freePort } from '../support/free-port.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { startRedis, startRedisCluster, type RedisServerProcess } from '../support/redis.ts'
import { secret } from '../support/stores.ts'
import { visit, visitOk } from '../support/visit.ts'

const guide = readFileSync('docs/redis.md', 'utf8')
const shown = (language: string) =>
  [...guide.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, code]) => code!)
const [configuration = '', tlsConfiguration = ''] = shown('ini')
const COMMANDS = ['getex', 'set', 'del', 'eval', 'getrange', 'info']

/** A file's lines as options of the command line, but for those that a test's server has of its own. */
function optionsOf(file: string, places: Record<string, string> = {}): string[] {
  return file
    .split('\n')
    .filter((line) => line !== '' && !/^(#|(bind|port|dir) )/.test(line))
    .flatMap((line) => {
      const [name, ...values] = line.split(' ')
      return [`--${name}`].concat(values.map((value) => (value === '""' ? '' : (places[value] ?? value))))
    })
}

const credentials = (user: string) => {
  const [, password] = new RegExp(`^user ${user} on >(\\S+)`, 'm').exec(configuration)!
  return `${user}:${password}`
}

const ends: (() => unknown)[] = []
const onEnd = (end: () => unknown) => void ends.push(end)
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

const clients: Record<string, (address: string) => Promise<RedisClient>> = {
  ioredis: async (address) => disconnecting(new Redis(address, { enableReadyCheck: false })),
  iovalkey: async (address) => disconnecting(new Valkey(address, { enableReadyCheck: false })),
  'node-redis': async (address) => destroying(createClient({ url: address })),
}

function disconnecting<
  Client extends { on(event: 'error', listener: () => void): unknown; disconnect(): void },
>(client: Client): Client {
  client.on('error', () => {})
  onEnd(() => client.disconnect())
  return client
}

async function destroying<
  Client extends {
    on(event: 'error', listener: () => void): unknown
    connect(): Promise<unknown>
    destroy(): void
  },
>(client: Client): Promise<Client> {
  client.on('error', () => {})
  await client.connect()
  onEnd(() => client.destroy())
  return client
}

/** Longer than by default, since others share the machine. */
const patient = (client: RedisClient) => new RedisStore(client, { operationTimeoutMs: 2000 })

/** All that a store asks: it signs in, reads, changes, lists, revokes, signs out, and takes back a record. */
async function useAll(store: RedisStore): Promise<void> {
  const manager = createSessionManager({ store, secret })
  const { cookie } = await visitOk(manager, undefined, (session) => {
    session.signIn('u1')
    session.set('views', 1)
  })
  await visitOk(manager, cookie, (session) => session.update('views', (n: any) => n + 1))
  expect((await visitOk(manager, cookie, (session) => session.get('views'))).result).toBe(2)
  expect(await manager.listSessions('u1')).toHaveLength(1)
  await manager.revokeAll('u1')
  expect(await manager.open(cookie).userId()).toBeUndefined()
  await store.delete('A'.repeat(43))
}

describe('docs/redis.md', () => {
  it('shows no settings but those tried here', () => {
    expect(shown('ini')).toHaveLength(2)
    // The doctor has tests of its own.
    expect(shown('sh')).toEqual([
      'redis-server /etc/redis/sessions.conf\n',
      expect.stringContaining('holdfast doctor'),
    ])
  })

  it('shows what the doctor says of a server as Debian starts it', async () => {
    const server = await startRedis('--save', '3600 1')
    onEnd(() => server.stop())
    const said = linesOf(await diagnose(server.address)).join('\n')
    const plain = (text: string) =>
      text
        .replaceAll(/:\d+ +/g, ' ')
        .replaceAll(/[\d-]+ [\d:]+ UTC.*/g, 'TIME')
        .replaceAll(/[\d.]+/g, '0')
        .replaceAll(/seconds?/g, 's')
        .trim()
    expect(plain(said)).toBe(plain(shown('text')[0]!))
  })

  it('has the figures that bench/scaling/stores.ts prints, in its words', () => {
    expect(guide).toContain('npx tsx bench/scaling/stores.ts')
    const script = readFileSync('bench/scaling/stores.ts', 'utf8')
    const titles = [...script.matchAll(/(?:title: |bytes: string\[\] = \[)(['"])(.+?)\1/g)].map(
      ([, , title]) => title,
    )
    expect(titles).toHaveLength(4)
    for (const title of titles) expect(guide).toContain(`\n| ${title} | `)
  })

  it('sizes a server by the bytes that it measured', () => {
    const [, measured] = /\| a session of 260 bytes of JSON \| [\d ]+ bytes \| ([\d ]+) bytes \|/.exec(guide)!
    const [, factor, bytes, total] =
      /sessions × ([\d ]+) ÷ 0\.7, where ([\d ]+) bytes .* JSON: ([\d.]+) MiB for 100 000/.exec(guide)!
    const number = (text: string) => Number(text.replaceAll(' ', ''))
    expect([number(factor!), number(bytes!)]).toEqual([number(measured!), number(measured!)])
    expect(total).toBe(((number(measured!) * 100_000) / 2 ** 20 / 0.7).toFixed(1))
  })
})

describe('The server of the guide', () => {
  let server: RedisServerProcess
  let operator: Redis
  let address: string
  beforeAll(async () => {
    server = await startRedis(...optionsOf(configuration))
    operator = new Redis(server.address.replace('//', `//${credentials('operator')}@`))
    operator.on('error', () => {})
    address = server.address.replace('//', `//${credentials('sessions')}@`)
  })
  afterEach(async () => {
    await operator.call('ACL', 'SETUSER', 'sessions', ...COMMANDS.map((command) => `+${command}`))
    await operator.flushall()
    await operator.call('ACL', 'LOG', 'RESET')
  })
  afterAll(async () => {
    operator.disconnect()
    await server.stop('SIGTERM')
  })

  it.each(Object.keys(clients))('lets its user do all that the store asks, over %s', async (name) => {
    await useAll(patient(await clients[name]!(address)))
    expect(await operator.call('ACL', 'LOG')).toEqual([])
  })

  it('without INFO sessions work as well, and ioredis says that it skips its check', async () => {
    await operator.call('ACL', 'SETUSER', 'sessions', '-info')
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    onEnd(() => warn.mockRestore())
    for (const client of [disconnecting(new Redis(address)), await clients['node-redis']!(address)]) {
      const store = patient(client)
      store.watch(() => {})
      await useAll(store)
    }
    expect(warn.mock.calls).toEqual([[expect.stringContaining('Skipping the ready check')]])
  })

  it.each(COMMANDS.filter((command) => command !== 'info'))(
    'has given its user no more than needed: %s',
    async (command) => {
      await operator.call('ACL', 'SETUSER', 'sessions', `-${command}`)
      const store = patient(await clients['ioredis']!(address))
      await expect(useAll(store)).rejects.toThrow(StoreUnavailableError)
    },
  )

  it('keeps strangers, and its user from all else', async () => {
    const client = new Redis(address)
    onEnd(() => client.disconnect())
    for (const command of ['FLUSHALL', 'KEYS *', 'CONFIG GET *', 'SCAN 0', 'GET session:1']) {
      const [name, ...args] = command.split(' ')
      await expect(client.call(name!, ...args), command).rejects.toThrow(/NOPERM/)
    }
    await expect(client.getex('cart:1')).rejects.toThrow(/NOPERM/)
    expect(await server.text('GETEX', 'session:1')).toMatch(/^-NOAUTH/)
  })

  describe('that stood still', () => {
    async function stoodStill() {
      const store = new RedisStore(await clients['ioredis']!(address), { operationTimeoutMs: 100 })
      const get = () => store.get('A'.repeat(43), 60)
      const refusal = (): Promise<unknown> => get().catch((error: Error) => error.cause)
      await vi.waitFor(get)
      server.freeze()
      for (let failures = 0; failures < 5; failures++) await expect(get()).rejects.toThrow()
      expect(await refusal()).toMatchObject({ code: 'ERR_BREAKER_OPEN' })
      return { get, refusal }
    }

    it('F4: is used again, though its user may do so little', async () => {
      const { get } = await stoodStill()
      server.thaw()
      await vi.waitFor(get, { timeout: 3000, interval: 50 })
      expect(await operator.call('ACL', 'LOG')).toEqual([])
    })

    it('F4: is asked again though it refuses the probe', async () => {
      const { refusal } = await stoodStill()
      const changed = operator.call('ACL', 'SETUSER', 'sessions', '-getex')
      server.thaw()
      await changed
      const expectRefused = async () =>
        expect(await refusal()).toMatchObject({ message: expect.stringMatching(/^NOPERM/) })
      await vi.waitFor(expectRefused, { timeout: 3000, interval: 50 })
    })
  })

  it('the programs of the guide keep sessions in it', async () => {
    vi.stubEnv('SESSION_STORE', address)
    vi.stubEnv('SESSION_SECRET', secret)
    onEnd(() => vi.unstubAllEnvs())
    const first = await import('./redis/ioredis.ts')
    onEnd(() => first.client.disconnect())
    const { cookie } = await vi.waitFor(() =>
      visitOk(first.manager as never, undefined, (session) => session.set('cart', ['rope'])),
    )
    expect(await operator.dbsize()).toBe(1)
    const second = await import('./redis/node-redis.ts')
    onEnd(() => second.client.destroy())
    const manager = createSessionManager({ store: second.store, secret })
    expect((await visitOk(manager, cookie, (session) => session.get('cart'))).result).toEqual(['rope'])
  })

  it('grows its file by so many bytes with each read', async () => {
    const [, bytes] = /The file grows by (\d+) bytes with each read/.exec(guide)!
    const store = patient(await clients['ioredis']!(address))
    const key = 'A'.repeat(43)
    await store.set(key, Buffer.from('record'), 60)
    const size = async () => {
      await vi.waitFor(async () =>
        expect(await operator.info('persistence')).toContain('aof_buffer_length:0\r'),
      )
      return Number(/aof_current_size:(\d+)/.exec(await operator.info('persistence'))![1])
    }
    const before = await size()
    for (let reads = 0; reads < 100; reads++) await store.get(key, 60)
    expect(Math.round(((await size()) - before) / 100)).toBe(Number(bytes))
    await store.delete(key)
  })

  it('keeps sessions over a kill -9', async () => {
    const store = patient(await clients['ioredis']!(address))
    const manager = createSessionManager({ store, secret })
    const { cookie } = await visitOk(manager, undefined, (session) => session.signIn('u1'))
    const left = (await visitOk(manager, undefined, (session) => session.signIn('u1'))).cookie
    await visitOk(manager, left, (session) => session.destroy())
    await server.kill()
    await server.restart()
    const userOf = (token: string) => manager.open(token).userId()
    expect(await vi.waitFor(() => userOf(cookie), { timeout: 4000, interval: 50 })).toBe('u1')
    expect(await userOf(left)).toBeUndefined()
  })

  it('with its lines for TLS shows its certificate, and the program takes it', async () => {
    const authority = await makeAuthority()
    onEnd(() => authority.remove())
    const { certFile, keyFile } = await authority.sign(['localhost'])
    const places = { '/etc/redis/sessions-1.pem': certFile, '/etc/redis/sessions-1.key': keyFile }
    const options = optionsOf(configuration + tlsConfiguration, places)
    const port = await freePort()
    options[options.indexOf('--tls-port') + 1] = String(port)
    const secured = await startRedis(...options)
    onEnd(() => secured.stop('SIGTERM'))
    vi.stubEnv('SESSION_STORE', `rediss://localhost:${port}`)
    vi.stubEnv('SESSION_PASSWORD', credentials('sessions').split(':')[1]!)
    vi.stubEnv('SESSION_AUTHORITY', authority.certFile)
    onEnd(() => vi.unstubAllEnvs())
    const { client, store } = await import('./redis/tls.ts')
    onEnd(() => client.disconnect())
    await vi.waitFor(() => useAll(store), { timeout: 3000, interval: 50 })
  })
})

describe('What the guide promises when Redis', () => {
  /** With who is signed in; statuses of a read, a sign-in and a sign-out. */
  async function open(...args: string[]) {
    const server = await startRedis(...args)
    onEnd(() => server.stop())
    const events: SessionEvent[] = []
    const store = patient(await clients['ioredis']!(server.address))
    const manager = createSessionManager({ store, secret, onEvent: (event) => events.push(event) })
    const { cookie } = await visitOk(manager, undefined, (session) => session.signIn('u1'))
    const read = () =>
      manager
        .open(cookie)
        .userId()
        .catch((error: Error) => error.cause)
    const commit = async (token: string | undefined, act: 'signIn' | 'destroy') =>
      ((await visit(manager, token, (session) => session[act]('u2'))).error as Error | undefined)?.cause
    return {
      server,
      read,
      signIn: () => commit(undefined, 'signIn'),
      signOut: () => commit(cookie, 'destroy'),
    }
  }

  it('has gone without a word, connections open: the first program connects anew', async () => {
    const server = await startRedis()
    onEnd(() => server.stop())
    const proxy = await startFaultProxy(server)
    onEnd(() => proxy.close())
    const { client } = await import('./redis/ioredis.ts')
    client.disconnect()
    const { retryStrategy, socketTimeout } = client.options as RedisOptions
    expect(socketTimeout).toBeGreaterThan(0)
    const own = disconnecting(new Redis(proxy.port, '127.0.0.1', { retryStrategy, socketTimeout }))
    const store = new RedisStore(own)
    await vi.waitFor(() => store.get('A'.repeat(43), 100))
    const before = proxy.connections
    proxy.fault = { type: 'stall' }
    await expect(store.get('A'.repeat(43), 100)).rejects.toThrow(StoreUnavailableError)
    await vi.waitFor(() => expect(proxy.connections).toBeGreaterThan(before), { timeout: 3000 })
    proxy.fault = { type: 'none' }
    await vi.waitFor(() => store.get('A'.repeat(43), 100), { timeout: 3000 })
  })

  it('is full, with noeviction: reads go on, sign-ins and sign-outs are refused, the old record stays', async () => {
    const { server, read, signIn, signOut } = await open('--maxmemory-policy', 'noeviction')
    await server.text('CONFIG', 'SET', 'maxmemory', '100000')
    expect(await read()).toBe('u1')
    for (const refused of [await signIn(), await signOut()]) {
      expect(refused).toMatchObject({ message: expect.stringMatching(/^OOM /) })
    }
    expect(await read()).toBe('u1')
  })

  it('was flushed: everybody is unknown, without an error', async () => {
    const { server, read, signIn } = await open()
    await server.text('FLUSHALL')
    expect([await read(), await signIn()]).toEqual([undefined, undefined])
  })

  it('is no master any more: an outage, for reads too', async () => {
    const { server, read, signIn } = await open()
    await server.text('REPLICAOF', '127.0.0.1', '1')
    for (const refused of [await read(), await signIn()]) {
      expect(refused).toMatchObject({ message: expect.stringMatching(/^READONLY /) })
    }
    await server.text('REPLICAOF', 'NO', 'ONE')
    expect(await read()).toBe('u1')
  })
})

describe('The cluster of the guide', () => {
  it('takes its programs, with an access list that is no longer than needed, and slots that move', async () => {
    const cluster = await startRedisCluster()
    onEnd(() => cluster.stop())
    const [, user] = /^user (sessions .+)$/m.exec(configuration)!
    const more = [...guide.matchAll(/`(\+cluster\|[^`]+)`/g)].flatMap(([, rights]) => rights!.split(' '))
    expect(more).toEqual(['+cluster|slots', '+asking', '+cluster|info'])
    for (const { text } of cluster.masters) await text('ACL', 'SETUSER', ...user!.split(' '), ...more)
    vi.stubEnv('SESSION_NODES', cluster.ports.map((port) => `127.0.0.1:${port}`).join())
    vi.stubEnv('SESSION_PASSWORD', credentials('sessions').split(':')[1]!)
    onEnd(() => vi.unstubAllEnvs())
    const first = await import('./redis/ioredis-cluster.ts')
    onEnd(() => first.client.disconnect())
    const second = await import('./redis/node-redis-cluster.ts')
    onEnd(() => second.client.destroy())
    for (const { store } of [first, second]) {
      for (let user = 0; user < 5; user++)
        await vi.waitFor(() => useAll(store), { timeout: 5000, interval: 50 })
    }
    for (const { text } of cluster.masters) {
      const denied = [...(await text('ACL', 'LOG')).matchAll(/object\r\n\$\d+\r\n(.*)\r\n/g)]
      expect(denied.map(([, what]) => what).filter((what) => what !== 'client|setname')).toEqual([])
    }

    const key = 'A'.repeat(43)
    const version = await first.store.add(key, Buffer.from('record'), 60)
    const expectFound = async () => {
      for (const { store } of [first, second]) {
        expect(Buffer.from((await store.get(key, 60))!.bytes).toString()).toBe('record')
      }
    }
    await moveSlot(cluster.masters, `session:${key}`, expectFound)
    await expectFound()
    const replaced = await second.store.replace(key, Buffer.from('newer'), 60, version!)
    expect(replaced.outcome).toBe('replaced')
  })
})

/** To the next master, as `redis-cli --cluster reshard` does. */
async function moveSlot(
  masters: readonly RedisServerProcess[],
  key: string,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const slot = String(slotOf(key))
  const nodes = await Promise.all(
    masters.map(async (master) => ({
      master,
      id: /\w{40}/.exec(await master.text('CLUSTER', 'MYID'))![0],
      count: await master.text('CLUSTER', 'COUNTKEYSINSLOT', slot),
    })),
  )
  const source = nodes.findIndex(({ count }) => count === ':1\r\n')
  const [from, to] = [nodes[source]!, nodes[(source + 1) % nodes.length]!]
  const setSlot = (master: RedisServerProcess, ...how: string[]) =>
    master.text('CLUSTER', 'SETSLOT', slot, ...how)
  await setSlot(to.master, 'IMPORTING', from.id)
  await setSlot(from.master, 'MIGRATING', to.id)
  const address = ['127.0.0.1', String(to.master.port)]
  expect(await from.master.text('MIGRATE', ...address, key, '0', '1000')).toMatch(/^\+OK/)
  await meanwhile()
  for (const { master } of [to, from, ...nodes]) await setSlot(master, 'NODE', to.id)
}
