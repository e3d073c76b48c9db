import { access, mkdtemp, rm } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, type TestContext } from 'vitest'
import { createSessionManager, type SessionEvent, type SessionManager } from '../src/core/index.ts'
import type { SessionOptions } from '../src/core/index.ts'
import { Keyring } from '../src/core/crypto/keyring.ts'
import { generateToken } from '../src/core/http/token.ts'
import { MemcachedStore } from '../src/core/stores/memcached/memcached-store.ts'
import { startFaultProxy, type FaultProxy } from './support/fault-proxy.ts'
import { startMemcached, type Memcached } from './support/memcached.ts'
import { secret } from './support/stores.ts'
import { tokenOf, visit, visitOk } from './support/visit.ts'

/** A cause, on a memcached of its own, that makes a stranger of who is signed in as Ada. */
interface Row {
  options?: SessionOptions
  args?: string[]
  /** Ends with a request, on a server whose events are read, that has Ada's cookie. */
  happen(scene: Scene, cookie: string): Promise<unknown>
  /** The row of docs/events.md that says what is told of a server. */
  inGuide?: string
  /** Each event's type, and reason or server: all that come from then on. */
  told: string[]
}

/** An application server whose `onEvent` is read, and others. */
interface Scene {
  memcached: Memcached
  /** Stands between the two, so that their connection can be cut. */
  proxy: FaultProxy
  manager: SessionManager
  /** The same application, deployed with other options. */
  deployed(options: SessionOptions): SessionManager
  /** Another server, whose events nobody reads. */
  elsewhere(options?: SessionOptions): SessionManager
  clock: { ms: number }
  startAgain(signal: NodeJS.Signals): Promise<void>
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
      await visitOk(elsewhere(), cookie, (session) => session.destroy())
      await come(manager, cookie)
    },
    told: ['ended signed-out'],
  },
  'signed out elsewhere, a while ago': {
    async happen({ manager, elsewhere, clock }, cookie) {
      await visitOk(elsewhere(), cookie, (session) => session.destroy())
      clock.ms += 31_000
      await come(manager, cookie)
    },
    told: ['ended signed-out'],
  },
  'a new token, and this is the old one': {
    async happen({ manager, elsewhere }, cookie) {
      await visitOk(elsewhere(), cookie, (session) => session.regenerateId())
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
      await elsewhere().revokeAll('ada')
      await come(manager, cookie)
    },
    told: ['ended revoked'],
  },
  'more devices than maxSessionsPerUser': {
    async happen({ manager, elsewhere }, cookie) {
      await signIn(elsewhere({ maxSessionsPerUser: 1 }))
      await come(manager, cookie)
    },
    told: ['ended revoked'],
  },
  'a cold restart of memcached': {
    inGuide: 'a server was restarted cold',
    async happen({ manager, startAgain }, cookie) {
      // It counts whole seconds: of one that had run for less than three nobody could tell.
      await sleep(3100)
      await startAgain('SIGKILL')
      await come(manager, cookie)
    },
    told: ['server-restarted SERVER', 'unknown'],
  },
  'a warm restart of memcached, which signs nobody out': {
    args: ['-e', 'MEMORY_FILE'],
    async happen({ manager, startAgain }, cookie) {
      await sleep(3100)
      await startAgain('SIGUSR1')
      await come(manager, cookie)
    },
    told: ['loaded'],
  },
  'a flush': {
    inGuide: 'a server was flushed',
    async happen({ manager, memcached, proxy }, cookie) {
      await memcached.text('flush_all')
      cut(proxy)
      await come(manager, cookie)
    },
    told: ['server-flushed SERVER', 'unknown'],
  },
  'the eviction of her session': {
    inGuide: 'a server evicted his session',
    args: ['-m', '1', '-I', '512k'],
    async happen({ manager, memcached, proxy }, cookie) {
      await fill(memcached, cookie)
      cut(proxy)
      await come(manager, cookie)
    },
    told: ['server-evicting SERVER', 'unknown'],
  },
  'the loss of her list of sessions': {
    async happen({ manager, memcached }, cookie) {
      await loseList(memcached)
      await come(manager, cookie)
    },
    told: ['ended mark-lost'],
  },
  'the loss of her list, and she has signed in elsewhere since': {
    async happen({ manager, elsewhere, memcached, clock }, cookie) {
      await loseList(memcached)
      clock.ms += 60_000
      await signIn(elsewhere())
      await come(manager, cookie)
    },
    told: ['ended mark-lost'],
  },
  'a changed list of servers': {
    async happen({ deployed }, cookie) {
      const other = await startMemcached()
      await come(deployed({ store: new MemcachedStore(other.address) }), cookie)
      await other.stop()
    },
    told: ['unknown'],
  },
  'a secret that is not the one': {
    happen: ({ deployed }, cookie) => come(deployed({ secret: secret.toUpperCase() }), cookie),
    told: ['invalid'],
  },
  'a second live cookie': {
    async happen({ manager, elsewhere }, cookie) {
      const second = await signIn(elsewhere())
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
    async happen({ manager, memcached }, cookie) {
      await visit(manager, cookie, async (session) => {
        await session.update('views', (views = 0) => views + 1)
        await memcached.text('flush_all')
      })
    },
    told: ['loaded', 'missing'],
  },
}

describe('K4: why somebody was signed out is told', () => {
  it.concurrent.for(Object.entries(CAUSES))('K1, K3, K4: %s', async ([, row], { onTestFinished, expect }) => {
    const { options, args, happen, told, inGuide } = row
    const { scene, events } = await open(onTestFinished, args, options)
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
  })
})

function rowOf(cause: string): string | undefined {
  return readFileSync('docs/events.md', 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`| ${cause} |`))
}

async function open(
  atEnd: TestContext['onTestFinished'],
  args: readonly string[] = [],
  options: SessionOptions = {},
): Promise<{ scene: Scene & { server: string }; events: SessionEvent[] }> {
  // A memory file belongs into memory, where there is such a folder.
  const shared = '/dev/shm'
  const isShared = await access(shared).then(
    () => true,
    () => false,
  )
  const folder = await mkdtemp(join(isShared ? shared : tmpdir(), 'holdfast-signed-out-'))
  const started = { args: args.map((arg) => arg.replace('MEMORY_FILE', join(folder, 'memory'))) }
  const memcached = await startMemcached(started)
  const proxy = await startFaultProxy(memcached)
  const clock = { ms: Date.now() }
  const events: SessionEvent[] = []
  const serve = (more: SessionOptions) => {
    const store = new MemcachedStore(proxy.address)
    const manager = createSessionManager({ store, secret, now: () => clock.ms, ...options, ...more })
    atEnd(() => manager.close())
    return manager
  }
  const deployed = (more: SessionOptions) => serve({ onEvent: (event) => events.push(event), ...more })
  const scene = {
    memcached,
    proxy,
    clock,
    deployed,
    manager: deployed({}),
    elsewhere: (more: SessionOptions = {}) => serve({ onEvent() {}, ...more }),
    server: `127.0.0.1:${proxy.port}`,
    async startAgain(signal: NodeJS.Signals) {
      const { port } = scene.memcached
      await scene.memcached.stop(signal)
      // Started again within the second in which it stopped, memcached mistrusts its memory file.
      await sleep(1100)
      scene.memcached = await startMemcached({ ...started, port })
    },
  }
  atEnd(async () => {
    await proxy.close()
    await scene.memcached.stop()
    await rm(folder, { recursive: true })
  })
  return { scene, events }
}

const keyring = new Keyring('__Host-session', () => [new TextEncoder().encode(secret)])

function cut({ sockets }: FaultProxy): void {
  for (const socket of sockets) socket.destroy()
}

/** Until the session is evicted; its user's list is, too. */
async function fill(memcached: Memcached, cookie: string): Promise<void> {
  const store = new MemcachedStore(memcached.address)
  const { storeKey } = await keyring.keysOf(tokenOf(cookie))
  while ((await memcached.text(`mg session:${storeKey} s u`)).startsWith('HD')) {
    const write = (size: number) => store.set(generateToken(), new Uint8Array(size), 60)
    await Promise.all(Array.from({ length: 1000 }, (_, index) => write(200 + (index % 40) * 10)))
  }
  await store.close()
}

/** Ada's list is evicted, and her session is not. */
async function loseList(memcached: Memcached): Promise<void> {
  for (const { storeKey } of await keyring.markKeys('ada')) {
    expect(await memcached.text(`delete session:${storeKey}`)).toMatch(/^DELETED/)
  }
}
