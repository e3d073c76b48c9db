// One store in a process of its own, which measures what it is told to; stores.ts starts it.
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import { SqliteStore } from '../../examples/sqlite/sqlite-store.ts'
import type { SessionStore } from '../../src/core/index.ts'
import { MemcachedStore } from '../../src/core/stores/memcached/memcached-store.ts'
import { RedisStore } from '../../src/core/stores/redis/redis-store.ts'
import { inParallel } from './session-cost.ts'

/** Of one round, in microseconds. */
export interface Round {
  /** From call to answer, one after the other: medians. */
  get: number
  getAndReplace: number
  /** CPU of this process for a get, with 32 in flight. */
  cpu: number
}

/** What a session of 260 bytes of JSON is when it is sealed. */
const RECORD_BYTES = 404
const TTL = 86_400
const SAMPLES = 2_000
const BURST = 10_000
const IN_FLIGHT = 32
// A deadline that a busy machine keeps: nothing here measures it.
const bounds = { operationTimeoutMs: 5_000 }

const openers: Record<string, (address: string) => Promise<SessionStore>> = {
  memjs: async (address) => new MemcachedStore({ servers: address, ...bounds }),
  ioredis: async (address) => new RedisStore(new Redis(address), bounds),
  iovalkey: async (address) => new RedisStore(new Valkey(address), bounds),
  'node-redis': async (address) => {
    const client = createClient({ url: address }).on('error', () => {})
    return new RedisStore(await client.connect(), bounds)
  },
  'node:sqlite': (address) => SqliteStore.open(address),
}

const [, , kind = '', address = ''] = process.argv
const store = await openers[kind]!(address)
const keys = Array.from({ length: 1_000 }, newKey)
await inParallel(keys, IN_FLIGHT, (key) => store.set(key, randomBytes(RECORD_BYTES), TTL))
const record = randomBytes(RECORD_BYTES)
await round() // until it is compiled

process.on('message', async (sessions: number) => {
  process.send!(sessions > 0 ? await fill(sessions) : await round())
})
process.on('disconnect', () => process.exit())
process.send!('ready')

async function round(): Promise<Round> {
  const get = await medianOf(async (key) => void (await store.get(key, TTL)))
  const getAndReplace = await medianOf(async (key) => {
    const found = await store.get(key, TTL)
    await store.replace(key, record, TTL, found!.version)
  })
  const before = process.cpuUsage()
  await inParallel(Array.from({ length: BURST }), IN_FLIGHT, () => store.get(anyKey(), TTL))
  const { user, system } = process.cpuUsage(before)
  return { get, getAndReplace, cpu: (user + system) / BURST }
}

async function medianOf(work: (key: string) => Promise<void>): Promise<number> {
  const times: number[] = []
  for (let sample = 0; sample < SAMPLES; sample++) {
    const startedAt = performance.now()
    await work(anyKey())
    times.push((performance.now() - startedAt) * 1000)
  }
  return times.toSorted((left, right) => left - right)[SAMPLES / 2]!
}

async function fill(sessions: number): Promise<string> {
  await inParallel(Array.from({ length: sessions }), IN_FLIGHT, () =>
    store.add(newKey(), randomBytes(RECORD_BYTES), TTL),
  )
  return 'filled'
}

function newKey(): string {
  return randomBytes(32).toString('base64url')
}

function anyKey(): string {
  return keys[Math.floor(Math.random() * keys.length)]!
}
