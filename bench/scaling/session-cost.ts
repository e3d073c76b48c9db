import { createSessionManager, type SessionManager, type SessionStore } from '../../src/core/index.ts'
import { MemcachedStore } from '../../src/core/stores/memcached/memcached-store.ts'
import { startMemcached, type Memcached } from '../../test/support/memcached.ts'
import { sampleData } from '../lib/sample-data.ts'

/** Bytes of one session in memcached. */
export interface SessionSize {
  json: number
  key: number
  /** As the store is given it: sealed. */
  record: number
  /** As memcached counts it: the key, the record and its own header. */
  item: number
  /** What memcached takes for it from its memory: the chunk of a slab class. */
  chunk: number
}

/** A memcached that has just thrown out its first live session. */
export interface FullServer {
  memory: number
  sessions: number
  /** What `stats` calls `bytes`. */
  bytes: number
}

/** Bytes of one request's operations, without what TCP adds. */
export interface Wire {
  operations: number
  toServer: number
  fromServer: number
}

export interface WireCosts {
  read: Wire
  write: Wire
}

export interface Throughput {
  inFlight: number
  /** Of one client process. */
  perSecond: number
  /** Of memcached with one thread. */
  serverMicroseconds: number
}

/** What a session costs in memory; `growth` is memcached's `-f`, from one slab class to the next. */
export async function measureSize(jsonBytes: number, sessions: number, growth: number): Promise<SessionSize> {
  return withMemcached(['-f', String(growth)], async (server, store) => {
    const data = sampleData(jsonBytes)
    const added = { records: 0, keyBytes: 0, recordBytes: 0 }
    await createSessions(managerOf(weighing(store, added)), data, sessions)
    // On a busy machine an add may come late and be repeated: counted are records, not requests.
    const { bytes, curr_items: items, evictions } = await statsOf(server)
    if (evictions! > 0) throw new Error(`${sessions} sessions of ${jsonBytes} bytes do not fit`)
    return {
      json: JSON.stringify(data).length,
      key: KEY_PREFIX.length + added.keyBytes / added.records,
      record: added.recordBytes / added.records,
      item: bytes! / items!,
      chunk: (await usedChunkBytes(server)) / items!,
    }
  })
}

/** How many sessions fit before memcached evicts one that lives. */
export async function fillUp(jsonBytes: number): Promise<FullServer> {
  return withMemcached(['-m', '64'], async (server, store) => {
    const manager = managerOf(store)
    for (;;) {
      await createSessions(manager, sampleData(jsonBytes), 1_000)
      const { evictions, limit_maxbytes: memory, curr_items: sessions, bytes } = await statsOf(server)
      if (evictions! > 0) return { memory: memory!, sessions: sessions!, bytes: bytes! }
    }
  })
}

/** What a request that reads and one that changes a session send and receive. */
export async function measureWire(jsonBytes: number, sessions: number): Promise<WireCosts> {
  return withMemcached([], async (server, store) => {
    let clock = Date.now()
    const manager = managerOf(store, () => clock)
    const cookies = await createSessions(manager, sampleData(jsonBytes), sessions)
    // A record remembers its writes of the last two seconds; a typical one was written longer ago.
    clock += 60_000
    const read = await wireOf(server, cookies, (cookie) =>
      request(manager, cookie, (session) => session.get('userId')),
    )
    const write = await wireOf(server, cookies, (cookie) =>
      request(manager, cookie, (session) => session.update('views', (n = 0) => n + 1)),
    )
    return { read, write }
  })
}

/** How many reads a second one client process gets, and what they cost a memcached with a single thread. */
export async function measureThroughput(recordBytes: number, inFlight: number): Promise<Throughput> {
  return withMemcached(['-t', '1'], async (server, store) => {
    const keys = Array.from({ length: 10_000 }, (_, index) => String(index).padStart(43, '0'))
    await inParallel(keys, IN_FLIGHT, (key) => store.add(key, new Uint8Array(recordBytes), TTL))
    const before = await statsOf(server)
    const startedAt = performance.now()
    let operations = 0
    while (performance.now() - startedAt < 3_000) {
      await inParallel(keys, inFlight, (key) => store.get(key, TTL))
      operations += keys.length
    }
    const seconds = (performance.now() - startedAt) / 1000
    const after = await statsOf(server)
    return {
      inFlight,
      perSecond: operations / seconds,
      serverMicroseconds: ((cpuSeconds(after) - cpuSeconds(before)) * 1e6) / operations,
    }
  })
}

const KEY_PREFIX = 'session:'
const IN_FLIGHT = 32
const TTL = 86_400

export async function withMemcached<Result>(
  args: readonly string[],
  work: (server: Memcached, store: MemcachedStore) => Promise<Result>,
): Promise<Result> {
  const server = await startMemcached({ args: ['-m', '256', ...args] })
  // A deadline that a busy machine keeps: nothing here measures how long an answer takes.
  const store = new MemcachedStore({
    servers: server.address,
    keyPrefix: KEY_PREFIX,
    operationTimeoutMs: 5_000,
  })
  try {
    return await work(server, store)
  } finally {
    await store.close()
    await server.stop()
  }
}

export type Data = Record<string, any>
export type Manager = SessionManager<Data>
export type Handler = (session: ReturnType<Manager['open']>) => unknown

export function managerOf(
  store: SessionStore,
  now: () => number = Date.now,
  maxSessionsPerUser: number = 20,
): Manager {
  const secret = 'a secret for measuring, of 32 bytes or more'
  return createSessionManager<Data>({ store, now, secret, maxSessionsPerUser })
}

/** Makes the sessions and gives back their cookies. */
async function createSessions(manager: Manager, data: object, sessions: number): Promise<string[]> {
  const cookies: string[] = []
  await inParallel(Array.from({ length: sessions }), IN_FLIGHT, async () => {
    const headers = await request(manager, undefined, (session) => {
      for (const [key, value] of Object.entries(data)) session.set(key, value)
    })
    cookies.push(headers.getSetCookie()[0]!.split(';')[0]!)
  })
  return cookies
}

export async function request(
  manager: Manager,
  cookie: string | undefined,
  handler: Handler,
): Promise<Headers> {
  const session = manager.open(cookie)
  await handler(session)
  const headers = new Headers()
  await manager.commit(session, () => ({ status: 200, headers }))
  return headers
}

/** Adds up what is handed to `add`: key and record, before memcached makes an item of them. */
function weighing(
  store: MemcachedStore,
  added: { records: number; keyBytes: number; recordBytes: number },
): SessionStore {
  return {
    maxBytes: store.maxBytes,
    get: (key, ttl) => store.get(key, ttl),
    add(key, bytes, ttl) {
      added.records += 1
      added.keyBytes += key.length
      added.recordBytes += bytes.length
      return store.add(key, bytes, ttl)
    },
    replace: (key, bytes, ttl, version) => store.replace(key, bytes, ttl, version),
    set: (key, bytes, ttl) => store.set(key, bytes, ttl),
    delete: (key) => store.delete(key),
  }
}

async function wireOf(
  server: Memcached,
  cookies: readonly string[],
  visit: (cookie: string) => Promise<unknown>,
): Promise<Wire> {
  const before = await statsOf(server)
  await inParallel(cookies, IN_FLIGHT, visit)
  const after = await statsOf(server)
  const perRequest = (name: string) => (after[name]! - before[name]!) / cookies.length
  return {
    operations: perRequest('cmd_touch') + perRequest('cmd_set'),
    toServer: perRequest('bytes_read'),
    fromServer: perRequest('bytes_written'),
  }
}

/** Runs `work` on every entry, `width` at a time. */
export async function inParallel<Entry>(
  entries: readonly Entry[],
  width: number,
  work: (entry: Entry) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < entries.length) await work(entries[next++]!)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

export type Stats = Record<string, number>

export async function statsOf(server: Memcached): Promise<Stats> {
  const lines = (await server.text('stats')).matchAll(/^STAT (\w+) ([\d.]+)\r$/gm)
  return Object.fromEntries([...lines].map(([, name, value]) => [name, Number(value)]))
}

const cpuSeconds = ({ rusage_user: user, rusage_system: system }: Stats): number => user! + system!

/** Over all slab classes: what is taken, used or not to the last byte. */
export async function usedChunkBytes(server: Memcached): Promise<number> {
  const slabs = await server.text('stats slabs')
  const used = [...slabs.matchAll(/^STAT (\d+):used_chunks (\d+)\r$/gm)]
  return used.reduce((sum, [, slabClass, chunks]) => {
    const size = new RegExp(`^STAT ${slabClass}:chunk_size (\\d+)\\r$`, 'm').exec(slabs)![1]
    return sum + Number(chunks) * Number(size)
  }, 0)
}
