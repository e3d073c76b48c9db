import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import * as core from '../../../../src/core/index.ts'
import { RedisStore } from '../../../../src/core/stores/redis/redis-store.ts'
import { openRequest } from '../../../support/open-request.ts'
import { importPlanted } from '../../../support/planted.ts'
import { connectIoredis, redisClients, type RedisClientKind } from '../../../support/redis-clients.ts'
import { useServers } from '../../../support/servers.ts'
import { secret } from '../../../support/stores.ts'
import { visit, visitOk } from '../../../support/visit.ts'

const { onEnd, redis, proxy: startProxy } = useServers()

const key = 'k'.repeat(43)
const apples = new Uint8Array(Buffer.from('apples'))
const pears = new Uint8Array(Buffer.from('pears'))

describe.each(redisClients)('A server that is frozen under RedisStore over $name', ({ connect }) => {
  it('F2: what was asked of it rejects at the deadline, and is carried out when it thaws', async () => {
    const server = await redis()
    const { client, disconnect } = await connect(server.port)
    onEnd(disconnect)
    const patient = new RedisStore(client, { operationTimeoutMs: 10_000 })
    const store = new RedisStore(client, { operationTimeoutMs: 150 })
    const [replaced, added, set, deleted] = ['r', 'a', 's', 'd'].map((name) => name.padStart(43, 'k'))
    const version = await patient.add(replaced!, apples, 100)
    for (const there of [set!, deleted!]) await patient.add(there, apples, 100)
    server.freeze()
    const start = performance.now()
    const outcomes = await Promise.allSettled([
      store.replace(replaced!, pears, 100, version),
      store.add(added!, pears, 100),
      store.set(set!, pears, 100),
      store.delete(deleted!),
    ])
    expect(performance.now() - start).toBeGreaterThan(145)
    expect(performance.now() - start).toBeLessThan(600)
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_STORE_UNAVAILABLE' } })
    }
    server.thaw()
    for (const written of [replaced!, added!, set!]) {
      expect(await patient.get(written, 100)).toMatchObject({ bytes: pears })
    }
    expect(await patient.get(deleted!, 100)).toBeUndefined()
    expect(await patient.replace(replaced!, apples, 100, version)).toEqual({ outcome: 'conflict' })
  })
})

type Core = typeof core
type Build = { core: Core; RedisStore: typeof RedisStore }

/** How a counter's write can be carried out without an answer that is heard in time. What it ends in: the counter. */
const scenes: [string, (build: Build, kind: RedisClientKind) => Promise<unknown>][] = [
  [
    'is carried out when the server thaws, while its request still waits',
    async (build, { connect }) => {
      const server = await redis()
      const { client, disconnect } = await connect(server.port)
      onEnd(disconnect)
      const { count, increment } = await counter(build, client)
      const thaw = async () => {
        server.freeze()
        // After its deadline, and before that of the read which looks for it.
        await sleep(350)
        server.thaw()
      }
      expect(await increment(thaw)).toMatchObject({ error: undefined })
      return count()
    },
  ],
  [
    'is carried out, its answer lost with the connection, and sent again by a client that does so',
    async (build, { connect }) => {
      const proxy = await startProxy(await redis())
      const { client, disconnect } = await connect(proxy.port)
      onEnd(disconnect)
      const { count, increment } = await counter(build, client)
      const lose = async () => {
        proxy.fault = { type: 'cut', after: 0, by: 'close' }
      }
      expect(await increment(lose)).toMatchObject({ error: undefined })
      expect(proxy.fault.type).toBe('none')
      return count()
    },
  ],
]

/** A session with a counter, which a request increments after it has loaded it and `meanwhile` has begun. */
async function counter({ core, RedisStore }: Build, client: ConstructorParameters<typeof RedisStore>[0]) {
  const manager = core.createSessionManager({ store: new RedisStore(client), secret, onEvent: () => {} })
  const { cookie } = await visitOk(manager, undefined, (session) => session.set('n', 0))
  return {
    count: async () => (await visitOk(manager, cookie, (session) => session.get('n'))).result,
    async increment(meanwhile: () => Promise<void>) {
      const request = await openRequest(manager, cookie, (session) =>
        session.update('n', (n) => (n as number) + 1),
      )
      const until = meanwhile()
      const committed = await request.commit()
      await until
      return committed
    },
  }
}

describe("E4: a counter's write of which nothing was heard", () => {
  let withoutWriteIds: Build
  beforeAll(async () => {
    const writeIds = {
      file: 'src/core/session/swap.ts',
      piece: 'remembers(session.record, write.writeId)',
      replacement: 'false',
    }
    const files = ['src/core/index.ts', 'src/core/stores/redis/redis-store.ts']
    const [planted, store] = (await importPlanted([writeIds], ...files)) as [Core, Build]
    withoutWriteIds = { core: planted, RedisStore: store.RedisStore }
  })

  describe.each(scenes)('%s', (_, scene) => {
    it.each(redisClients)('E4: counts once, over $name; without write ids, twice', async (kind) => {
      expect(await scene({ core, RedisStore }, kind)).toBe(1)
      expect(await scene(withoutWriteIds, kind)).toBe(2)
    })
  })
})

describe('What a frozen server carries out when nobody waits for it any more', () => {
  /** On a server of its own: what is in it can be counted. */
  async function open() {
    const server = await redis()
    const { client, disconnect } = await connectIoredis(server.port)
    onEnd(disconnect)
    const store = new RedisStore(client)
    const manager = core.createSessionManager({ store, secret, onEvent: () => {} })
    const signIn = () => visit(manager, undefined, (session) => session.signIn('u1'))
    return { server, client, manager, signIn }
  }

  it('E4: a counter whose request was refused counts once at most', async () => {
    const { server, manager } = await open()
    const { cookie } = await visitOk(manager, undefined, (session) => session.set('n', 0))
    const request = await openRequest(manager, cookie, (session) =>
      session.update('n', (n) => (n as number) + 1),
    )
    server.freeze()
    const { error } = await request.commit()
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    server.thaw()
    expect((await visitOk(manager, cookie, (session) => session.get('n'))).result).toBe(1)
  })

  it('B4: the record of a session that was tried again is nobody’s, and runs out', async () => {
    const { server, client, manager, signIn } = await open()
    await manager.listSessions('u1')
    server.freeze()
    const begun = signIn()
    await sleep(350)
    server.thaw()
    const { cookie, error } = await begun
    expect(error).toBeUndefined()
    // The one that came late, the one that took its place, and the list.
    const keys = await client.keys('session:*')
    expect(keys).toHaveLength(3)
    for (const each of keys) expect(await client.ttl(each)).toBeGreaterThan(0)
    expect(await manager.listSessions('u1')).toHaveLength(1)
    expect((await visitOk(manager, cookie, (session) => session.userId())).result).toBe('u1')
  })

  it('B4: the records of a session that was refused are nobody’s, and run out', async () => {
    const { server, client, manager, signIn } = await open()
    await manager.listSessions('u1')
    server.freeze()
    const { error, setCookie } = await signIn()
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(setCookie).toBeUndefined()
    server.thaw()
    expect(await manager.listSessions('u1')).toEqual([])
    const keys = await client.keys('session:*')
    expect(keys.length).toBeGreaterThan(0)
    for (const each of keys) expect(await client.ttl(each)).toBeGreaterThan(0)
  })

  it('F1: the tombstone of a sign-out that was refused ends that session and no other', async () => {
    const { server, manager, signIn } = await open()
    const [gone, other] = [await signIn(), await signIn()]
    const request = await openRequest(manager, gone.cookie, (session) => session.destroy())
    server.freeze()
    const { error, setCookie } = await request.commit()
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(setCookie).toBeUndefined()
    server.thaw()
    const userOf = async (cookie: string) =>
      (await visitOk(manager, cookie, (session) => session.userId())).result
    expect(await userOf(gone.cookie)).toBeUndefined()
    const again = await visitOk(manager, gone.cookie, (session) => session.destroy())
    expect(again.setCookie).toMatch(/Max-Age=0|Expires=Thu, 01 Jan 1970/)
    expect(await userOf(gone.cookie)).toBeUndefined()
    expect(await userOf(other.cookie)).toBe('u1')
  })

  it('E4: and again, by a client that sends it again: its refusal is no answer', async () => {
    const proxy = await startProxy(await redis())
    const { client, disconnect } = await connectIoredis(proxy.port)
    onEnd(disconnect)
    const store = new RedisStore(client, { operationTimeoutMs: 5000 })
    const added = 'a'.padStart(43, 'k')
    const version = await store.add(key, apples, 100)
    const write = {
      add: () => store.add(added, pears, 100),
      replace: () => store.replace(key, pears, 100, version),
    }
    for (const [operation, ask] of Object.entries(write)) {
      proxy.fault = { type: 'cut', after: 0, by: 'close' }
      await expect(ask()).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', operation })
    }
    // Carried out they were; and where nothing is lost, a refusal is an answer.
    for (const each of [added, key]) expect(await store.get(each, 100)).toMatchObject({ bytes: pears })
    expect(await store.add(added, apples, 100)).toBeUndefined()
    expect(await store.replace(key, apples, 100, version)).toEqual({ outcome: 'conflict' })
  })
})
