import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi, type TestContext } from 'vitest'
import {
  createSessionManager,
  type SessionEvent,
  type SessionManager,
  type SessionStore,
} from '../src/core/index.ts'
import type { SessionOptions } from '../src/core/index.ts'
import { Keyring } from '../src/core/crypto/keyring.ts'
import { generateToken } from '../src/core/http/token.ts'
import { startFaultProxy, type FaultProxy } from './support/fault-proxy.ts'
import { startRestartable, type Restartable } from './support/restartable.ts'
import { kinds, onMemcached, type StoreKind } from './support/store-servers.ts'
import { secret } from './support/stores.ts'
import { tokenOf, visit, visitOk } from './support/visit.ts'

/** A cause, on a server of its own, that makes a stranger of who is signed in as Ada. */
interface Row {
  options?: SessionOptions
  args?: string[]
  /** Default both. */
  on?: 'memcached' | 'Redis'
  /** Ends with a request, on a server whose events are read, that has Ada's cookie. */
  happen(scene: Scene, cookie: string): Promise<unknown>
  /** The row of docs/events.md that says what is told of a server. */
  inGuide?: string
  /** Each event's type, and reason or server: all that come from then on. */
  told: string[]
}

/** An application server whose `onEvent` is read, and others. */
interface Scene {
  kind: StoreKind
  store: Restartable
  /** Each application server's. */
  stores: SessionStore[]
  /** Stands between the two, so that their connection can be cut. */
  proxy: FaultProxy
  manager: SessionManager
  /** The same application, deployed with other options. */
  deployed(options: SessionOptions): Promise<SessionManager>
  /** Another server, whose events nobody reads. */
  elsewhere(options?: SessionOptions): Promise<SessionManager>
  clock: { ms: number }
}

const come = async (manager: SessionManager, cookie: string) => {
  await visitOk(manager, cookie, (session) => session.userId())
}
const signIn = async (manager: SessionManager) =>
  (await visitOk(manager, undefined, (session) => session.signIn('ada'))).cookie

const CAUSES: Record<string, Row> = {
  'nothing: she is who she was': {
    happen: ({ manager }, cookie) => come(manager, cookie),
    told: ['loaded'],
  },
  'the idle timeout': {
    options: { idleTimeout: 1 },
    async happen({ manager }, cookie) {
      await sleep(2100)
      await come(manager, cookie)
    },
    told: ['unknown'],
  },
  'the absolute timeout': {
    options: { absoluteTimeout: 60 },
    async happen({ manager, clock }, cookie) {
      clock.ms += 60_000
      await come(manager, cookie)
    },
    told: ['expired'],
  },
  'signed out here': {
    async happen({ manager }, cookie) {
      await visitOk(manager, cookie, (session) => session.destroy())
      await come(manager, cookie)
    },
    told: ['loaded', 'destroyed', 'ended signed-out'],
  },
  'signed out elsewhere': {
    async happen({ manager, elsewhere }, cookie) {
      await visitOk(await elsewhere(), cookie, (session) => session.destroy())
      await come(manager, cookie)
    },
    told: ['ended signed-out'],
  },
  'signed out elsewhere, a while ago': {
    async happen({ manager, elsewhere, clock }, cookie) {
      await visitOk(await elsewhere(), cookie, (session) => session.destroy())
      clock.ms += 31_000
      await come(manager, cookie)
    },
    told: ['ended signed-out'],
  },
  'a new token, and this is the old one': {
    async happen({ manager, elsewhere }, cookie) {
      await visitOk(await elsewhere(), cookie, (session) => session.regenerateId())
      await come(manager, cookie)
    },
    told: ['ended regenerated'],
  },
  'revoked here': {
    async happen({ manager }, cookie) {
      await manager.revokeAll('ada')
      await come(manager, cookie)
    },
    told: ['revoked', 'ended revoked'],
  },
  'revoked elsewhere': {
    async happen({ manager, elsewhere }, cookie) {
      await (await elsewhere()).revokeAll('ada')
      await come(manager, cookie)
    },
    told: ['ended revoked'],
  },
  'more devices than maxSessionsPerUser': {
    async happen({ manager, elsewhere }, cookie) {
      await signIn(await elsewhere({ maxSessionsPerUser: 1 }))
      await come(manager, cookie)
    },
    told: ['ended revoked'],
  },
  'a restart of Redis that kept nothing': {
    on: 'Redis',
    inGuide: 'a server was restarted cold',
    async happen(scene, cookie) {
      const { manager, store, proxy } = scene
      await store.stop(false)
      await startAgain(scene)
      await fail(manager, proxy, cookie)
      await come(manager, cookie)
    },
    told: ['store-error', 'server-restarted SERVER', 'unknown'],
  },
  'a cold restart of memcached': {
    on: 'memcached',
    inGuide: 'a server was restarted cold',
    async happen(scene, cookie) {
      const { manager, store } = scene
      // It counts whole seconds: of one that had run for less than three nobody could tell.
      await sleep(3100)
      await store.stop(false)
      await startAgain(scene)
      await come(manager, cookie)
    },
    told: ['server-restarted SERVER', 'unknown'],
  },
  'a restart that keeps what there was, which signs nobody out': {
    async happen(scene, cookie) {
      const { kind, manager, store } = scene
      if (kind === onMemcached) await sleep(3100)
      await store.stop(true)
      await startAgain(scene)
      await come(manager, cookie)
    },
    told: ['loaded'],
  },
  'a flush': {
    on: 'memcached',
    inGuide: 'a server was flushed',
    async happen({ manager, store, proxy }, cookie) {
      await store.flush()
      cut(proxy)
      await come(manager, cookie)
    },
    told: ['server-flushed SERVER', 'unknown'],
  },
  'a flush of Redis': {
    on: 'Redis',
    inGuide: 'a server was flushed',
    async happen({ manager, store, proxy }, cookie) {
      await store.flush()
      await fail(manager, proxy, cookie)
      await come(manager, cookie)
    },
    told: ['store-error', 'server-flushed SERVER', 'unknown'],
  },
  'the eviction of her session by Redis': {
    on: 'Redis',
    inGuide: 'a server evicted his session',
    args: ['--maxmemory', '2500kb', '--maxmemory-policy', 'allkeys-lru'],
    async happen({ manager, proxy, ...scene }, cookie) {
      await fill(scene, cookie)
      await fail(manager, proxy, cookie)
      await come(manager, cookie)
    },
    told: ['store-error', 'server-evicting SERVER', 'unknown'],
  },
  'the eviction of her session': {
    on: 'memcached',
    inGuide: 'a server evicted his session',
    args: ['-m', '1', '-I', '512k'],
    async happen({ manager, proxy, ...scene }, cookie) {
      await fill(scene, cookie)
      cut(proxy)
      await come(manager, cookie)
    },
    told: ['server-evicting SERVER', 'unknown'],
  },
  'the loss of her list of sessions': {
    async happen({ manager, store }, cookie) {
      await loseList(store)
      await come(manager, cookie)
    },
    told: ['ended mark-lost'],
  },
  'the loss of her list, and she has signed in elsewhere since': {
    async happen({ manager, elsewhere, store, clock }, cookie) {
      await loseList(store)
      clock.ms += 60_000
      await signIn(await elsewhere())
      await come(manager, cookie)
    },
    told: ['ended mark-lost'],
  },
  'a changed list of servers': {
    async happen({ kind, deployed }, cookie) {
      const other = await kind.start()
      await come(await deployed({ store: await kind.open(other.port) }), cookie)
      await other.stop()
    },
    told: ['unknown'],
  },
  'a secret that is not the one': {
    happen: async ({ deployed }, cookie) => come(await deployed({ secret: secret.toUpperCase() }), cookie),
    told: ['invalid'],
  },
  'a second live cookie': {
    async happen({ manager, elsewhere }, cookie) {
      const second = await signIn(await elsewhere())
      await come(manager, `${cookie}; ${second}`)
    },
    told: ['duplicate-cookie'],
  },
  'a cookie that could not be sent any more': {
    async happen({ manager }, cookie) {
      const options = { canSetHeaders: () => false }
      await visit(manager, cookie, (session) => session.regenerateId(), {}, options)
    },
    told: ['loaded', 'cookie-lost'],
  },
  'a Cookie header that is too long': {
    happen: ({ manager }, cookie) => come(manager, `other=${'x'.repeat(16_384)}; ${cookie}`),
    told: ['cookie-header-too-long'],
  },
  'a session that is gone before it is saved': {
    async happen({ manager, store }, cookie) {
      await visit(manager, cookie, async (session) => {
        await session.update('views', (views = 0) => views + 1)
        await store.flush()
      })
    },
    told: ['loaded', 'missing'],
  },
}

describe.each(kinds)('K4: why somebody was signed out, on $name, is told', (kind) => {
  const isOn = (row: Row) => !row.on || (row.on === 'memcached') === (kind === onMemcached)
  it.concurrent.for(Object.entries(CAUSES).filter(([, row]) => isOn(row)))(
    'K1, K3, K4: %s',
    async ([, row], { onTestFinished, expect }) => {
      const { options, args, happen, told, inGuide } = row
      const { scene, events } = await open(kind, onTestFinished, args, options)
      const cookie = await signIn(scene.manager)
      events.length = 0
      await happen(scene, cookie)
      const expected = told.map((each) => each.replace('SERVER', scene.server)).toSorted()
      const seen = () => events.map(({ type, reason, server }) => [type, reason ?? server].join(' ').trim())
      // What happened to a server is found out beside what visitors ask, a moment before or after.
      await expect.poll(() => seen().toSorted(), { timeout: 5000 }).toEqual(expected)
      await scene.manager.listSessions('nobody')
      expect(seen().toSorted()).toEqual(expected)
      for (const { type, server } of events) if (server && inGuide) expect(rowOf(inGuide)).toContain(type)
    },
  )
})

function rowOf(cause: string): string | undefined {
  return readFileSync('docs/events.md', 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`| ${cause} |`))
}

async function open(
  kind: StoreKind,
  atEnd: TestContext['onTestFinished'],
  args: readonly string[] = [],
  options: SessionOptions = {},
): Promise<{ scene: Scene & { server: string }; events: SessionEvent[] }> {
  const store = await startRestartable(kind, args)
  const proxy = await startFaultProxy(store)
  const clock = { ms: Date.now() }
  const events: SessionEvent[] = []
  const stores: SessionStore[] = []
  const serve = async (more: SessionOptions) => {
    const own = await kind.open(proxy.port)
    stores.push(own)
    // Connected before a visitor comes: how long that takes on a busy machine is not the question here.
    await vi.waitFor(() => own.get(generateToken(), undefined), { timeout: 5000 })
    return createSessionManager({ store: own, secret, now: () => clock.ms, ...options, ...more })
  }
  const deployed = (more: SessionOptions) => serve({ onEvent: (event) => events.push(event), ...more })
  const scene = {
    kind,
    store,
    proxy,
    clock,
    deployed,
    manager: await deployed({}),
    stores,
    elsewhere: (more: SessionOptions = {}) => serve({ onEvent() {}, ...more }),
    server: `127.0.0.1:${proxy.port}`,
  }
  atEnd(async () => {
    await Promise.all(stores.map((each) => each.close!()))
    await proxy.close()
    await store.end()
  })
  return { scene, events }
}

const keyring = new Keyring('__Host-session', () => [new TextEncoder().encode(secret)])

function cut({ sockets }: FaultProxy): void {
  for (const socket of sockets) socket.destroy()
}

/** Until clients of Redis are connected again, which are so from the beginning; memcached's connects when it is asked. */
async function startAgain({ kind, store, stores, proxy }: Scene): Promise<void> {
  await store.startAgain()
  if (kind === onMemcached) return
  while (proxy.sockets.size < stores.length) await sleep(20)
}

/** An operation that is not answered in time: of such a server RedisStore reads again what happened to it. */
async function fail(manager: SessionManager, proxy: FaultProxy, cookie: string): Promise<void> {
  proxy.fault = { type: 'stall' }
  await expect(come(manager, cookie)).rejects.toThrow('did not answer')
  proxy.fault = { type: 'none' }
}

/** Until the session is evicted; on memcached its user's list is, too. */
async function fill({ kind, store }: Pick<Scene, 'kind' | 'store'>, cookie: string): Promise<void> {
  const filling = await kind.open(store.port)
  const { storeKey } = await keyring.keysOf(tokenOf(cookie))
  while (await store.has(storeKey)) {
    const write = (size: number) => filling.set(generateToken(), new Uint8Array(size), 60)
    await Promise.all(Array.from({ length: 100 }, (_, index) => write(200 + (index % 40) * 10)))
  }
  await filling.close!()
}

/** Ada's list is evicted, and her session is not. */
async function loseList(store: Restartable): Promise<void> {
  for (const { storeKey } of await keyring.markKeys('ada')) expect(await store.forget(storeKey)).toBe(true)
}
