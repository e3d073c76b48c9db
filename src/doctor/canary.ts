import { randomBytes } from 'node:crypto'
import type { SessionStore } from '../core/stores/store.ts'
import { ok, unfit, warning, type Finding } from './finding.ts'

/** Longer than a store waits, to tell a slow server from a dead one. */
export const PATIENCE_MS = 2_000
const ROUNDS = 4
/** A slow server is known for one after the first round. */
const LAST_ROUND_MS = 500
/** A request that writes its session waits twice. */
const SLOW_MS = 20
/** Seconds: what an interrupted doctor leaves behind is soon gone. */
const TTL = 60
const RECORD_BYTES = 512

/** One as sessions have, and nobody's. */
export function newKey(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * Does with a record of its own, under a key that nobody has, what the manager does with sessions, which wait
 * `timeoutMs`. The first operation that fails ends it, and `explain` words the finding.
 */
export async function runCanary(
  store: SessionStore,
  timeoutMs: number,
  explain: (topic: string, error: Error) => Finding,
  key: string = newKey(),
): Promise<Finding> {
  const durations: number[] = []
  const start = performance.now()
  try {
    for (let round = 0; round < ROUNDS && performance.now() - start < LAST_ROUND_MS; round++) {
      await liveOnce(store, key, durations)
    }
  } catch (error) {
    await store.delete(key).catch(() => {})
    // What a store could not be asked for, it wraps.
    return explain('operations', ((error as Error).cause ?? error) as Error)
  }
  const median = durations.toSorted((a, b) => a - b)[durations.length >> 1]!
  const speed = `answers in ${median.toFixed(median < 10 ? 2 : 0)} ms (median of ${durations.length})`
  const advice = 'Look at the network between here and there, and at the load of that host'
  if (median >= timeoutMs) {
    return unfit('operations', `${speed}, but sessions wait ${timeoutMs} ms only`, advice)
  }
  if (median >= SLOW_MS) return warning('operations', `is slow: ${speed}`, advice)
  return ok('operations', `${speed}: add, get-and-touch, compare-and-swap, delete`)
}

async function liveOnce(store: SessionStore, key: string, durations: number[]): Promise<void> {
  const timed = async <Result>(work: Promise<Result>): Promise<Result> => {
    const start = performance.now()
    const result = await work
    durations.push(performance.now() - start)
    return result
  }
  const expectToRead = async (expected?: Uint8Array) => {
    const found = await timed(store.get(key, TTL))
    const isExact = expected && found ? Buffer.compare(expected, found.bytes) === 0 : expected === found
    if (!isExact) throw new Error('it gave back something else than was written')
  }
  const first = randomBytes(RECORD_BYTES)
  const second = randomBytes(RECORD_BYTES)

  const version = await timed(store.add(key, first, TTL))
  if (!version) throw new Error('it takes a random key for taken')
  await expectToRead(first)
  const swap = await timed(store.replace(key, second, TTL, version))
  if (swap.outcome !== 'replaced') throw new Error('it refused a write over the newest version')
  const staleSwap = await timed(store.replace(key, first, TTL, version))
  if (staleSwap.outcome !== 'conflict') throw new Error('it took a write over an old version')
  await expectToRead(second)
  await timed(store.delete(key))
  await expectToRead()
}
