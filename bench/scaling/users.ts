// What a user's list of sessions takes. Tables of docs/scaling.md: npx tsx bench/scaling/users.ts
import { StoreUnavailableError, type SessionStore } from '../../src/core/index.ts'
import type { MemcachedStore } from '../../src/core/stores/memcached/memcached-store.ts'
import { sampleData } from '../lib/sample-data.ts'
import { count, print } from './print.ts'
import {
  inParallel,
  managerOf,
  request,
  statsOf,
  usedChunkBytes,
  withMemcached,
  type Manager,
} from './session-cost.ts'

const JSON_BYTES = 260
const USERS = 1_000
const SESSIONS_OF_A_USER = 10
const IN_FLIGHT = 8
const LOADS = 250
const ROUNDS = 20
const LABEL = 'Firefox on Windows'

await printMemory()
await printLoads()

async function printMemory(): Promise<void> {
  const users = Array.from({ length: USERS }, (_, index) => `user-${index}`)
  const rows = await withMemcached([], async (server, store) => {
    const used = async () => {
      const { bytes, curr_items: items } = await statsOf(server)
      return { bytes: bytes!, items: items!, chunks: await usedChunkBytes(server) }
    }
    const marks = new Set<string>()
    const manager = managerOf(watching(store, marks))
    await inParallel(users, IN_FLIGHT, async (user) => {
      for (let each = 0; each < SESSIONS_OF_A_USER; each++) await signIn(manager, user, LABEL)
    })
    const all = await used()
    await inParallel([...marks], IN_FLIGHT, (key) => store.delete(key))
    const records = await used()
    if (all.items - records.items !== USERS) throw new Error('not all marks were kept')
    const row = (what: string, items: number, bytes: number, chunks: number) => [
      what,
      count(items),
      count(bytes / items),
      count(chunks / items),
      `${(chunks / 2 ** 20).toFixed(1)} MiB`,
    ]
    return [
      row('sessions', records.items, records.bytes, records.chunks),
      row('marks', USERS, all.bytes - records.bytes, all.chunks - records.chunks),
    ]
  })
  const head = [`${count(USERS)} users × ${SESSIONS_OF_A_USER}`, 'how many', 'item', 'chunk', 'memory']
  print('Memory of users, in bytes (measured)', head, rows)
}

async function printLoads(): Promise<void> {
  // The first to be measured would pay for what is compiled meanwhile.
  await measureLoads(1, LABEL)
  const none = await measureLoads(0, '')
  const rows = [['anonymous: no mark', count(none.bytes), `${none.microseconds.toFixed(0)} µs`, '']]
  for (const [listed, label] of [[1, LABEL], [20, LABEL], [100, LABEL], [100, 'x'.repeat(64)]] as const) {
    const { bytes, microseconds } = await measureLoads(listed, label)
    const more = `${(microseconds - none.microseconds).toFixed(0)} µs`
    const said = label === LABEL ? String(listed) : `${listed}, labels of ${label.length} characters`
    rows.push([said, count(bytes), `${microseconds.toFixed(0)} µs`, more])
  } // prettier-ignore
  const head = [
    'sessions in the list',
    'bytes from memcached',
    'CPU of the application',
    'more than anonymous',
  ]
  print('A load, by the length of the list (measured)', head, rows)
}

/** CPU time, not wall time, and the least of some rounds: other processes share the machine. */
async function measureLoads(listed: number, label: string): Promise<{ bytes: number; microseconds: number }> {
  return withMemcached([], async (server, store) => {
    const manager = managerOf(store, Date.now, 100)
    let cookie = listed === 0 ? await begin(manager) : ''
    for (let each = 0; each < listed; each++) cookie = await signIn(manager, 'user', label)
    const loads = Array.from({ length: LOADS }, () => cookie)
    const rounds: number[] = []
    const before = await statsOf(server)
    for (let round = 0; round < ROUNDS; round++) {
      const usage = process.cpuUsage()
      await inParallel(loads, IN_FLIGHT, (each) => request(manager, each, (session) => session.get('userId')))
      const { user, system } = process.cpuUsage(usage)
      rounds.push((user + system) / LOADS)
    }
    const after = await statsOf(server)
    const bytes = (after['bytes_written']! - before['bytes_written']!) / LOADS / ROUNDS
    return { bytes, microseconds: Math.min(...rounds) }
  })
}

function begin(manager: Manager): Promise<string> {
  return cookieOf(manager, () => {})
}

/** On a busy machine a commit's time may run out; then it is done again. */
async function signIn(manager: Manager, user: string, label: string): Promise<string> {
  try {
    return await cookieOf(manager, (session) => session.signIn(user, { label }))
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error
    return signIn(manager, user, label)
  }
}

async function cookieOf(
  manager: Manager,
  also: (session: ReturnType<Manager['open']>) => void,
): Promise<string> {
  const headers = await request(manager, undefined, (session) => {
    for (const [key, value] of Object.entries(sampleData(JSON_BYTES))) session.set(key, value)
    also(session)
  })
  return headers.getSetCookie()[0]!.split(';')[0]!
}

/** Notes which keys are marks: what is read without restarting its time to live. */
function watching(store: MemcachedStore, marks: Set<string>): SessionStore {
  return {
    maxBytes: store.maxBytes,
    get(key, ttl) {
      if (ttl === undefined) marks.add(key)
      return store.get(key, ttl)
    },
    add: (key, bytes, ttl) => store.add(key, bytes, ttl),
    replace: (key, bytes, ttl, version) => store.replace(key, bytes, ttl, version),
    set: (key, bytes, ttl) => store.set(key, bytes, ttl),
    delete: (key) => store.delete(key),
  }
}
