// Does a process that has served a million sessions hold more than one that has served ten thousand? `npm run soak`, some
// six minutes; `npm run soak -- 200000` serves fewer, and notices less.
import assert from 'node:assert/strict'
import { createSessionManager, SessionConflictError, StoreUnavailableError } from '../../src/core/index.ts'
import { MemcachedStore } from '../../src/core/stores/memcached/memcached-store.ts'
import { startMemcached } from '../support/memcached.ts'
import { secret } from '../support/stores.ts'
import { visitOk } from '../support/visit.ts'
import { judge, type Measure } from './judge.ts'

const sessions = Number(process.argv[2] ?? 1_000_000)
/** Each leaves two records, its own and its user's list, and 10 000 are remembered: by then all of these were replaced. */
const WARM_UP = 10_000
/** Many, since how much is remembered goes up and down by 5 MiB: the older half goes as a whole. */
const MEASURES = 100
const PRINTED = 10
const IN_FLIGHT = 32
/** Of all. */
const MOST_GIVEN_UP = 0.01
/** So little that most sessions are evicted, as in a service that runs for weeks. */
const MEMCACHED = ['-m', '64']

const step = (sessions - WARM_UP) / MEASURES
assert(globalThis.gc, 'expected to be started with --expose-gc')
assert(
  step >= IN_FLIGHT,
  `expected ${WARM_UP + MEASURES * IN_FLIGHT} sessions or more, got ${process.argv[2]}`,
)

const server = await startMemcached({ args: MEMCACHED })
const manager = createSessionManager({
  // So long that a busy machine is seldom taken for an outage.
  store: new MemcachedStore({ servers: server.address, operationTimeoutMs: 550, connectTimeoutMs: 550 }),
  secret,
  onEvent: () => {},
})
/** Sessions that a busy machine did not get served in time. */
let givenUp = 0
let served = 0
console.log('  sessions   seconds   heap MiB   outside it MiB   whole process MiB')
const measures: Measure[] = []
try {
  // What is compiled, and the connections, are there.
  await serveUntil(IN_FLIGHT)
  const start = measure()
  print(start)
  await serveUntil(WARM_UP)
  print(measure())
  for (let each = 1; each <= MEASURES; each++) {
    await serveUntil(WARM_UP + Math.round(each * step))
    measures.push(measure())
    if (each % (MEASURES / PRINTED) === 0) print(measures.at(-1)!)
  }
  const { isFlat, verdict } = judge(start, measures)
  console.log(verdict)
  if (givenUp > 0) console.log(`${givenUp} sessions were given up, since no answer came in time`)
  process.exitCode = isFlat && givenUp < sessions * MOST_GIVEN_UP ? 0 : 1
} finally {
  await manager.close()
  await server.stop()
}

/** A few at a time; none is under way when it resolves. */
async function serveUntil(last: number): Promise<void> {
  const visitor = async () => {
    while (served < last) await liveOne(served++).catch(giveUp)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, visitor))
}

function giveUp(error: unknown): void {
  // A mark that nobody else writes is in conflict where no time is left to write it.
  if (!(error instanceof StoreUnavailableError || error instanceof SessionConflictError)) throw error
  givenUp++
}

/** Three requests: signs in, writes, reads. */
async function liveOne(number: number): Promise<void> {
  const cart = [{ article: number, count: 1 }]
  const { cookie } = await visitOk(manager, undefined, (session) => session.signIn(`user ${number}`))
  await visitOk(manager, cookie, (session) => session.set('cart', cart))
  const { result } = await visitOk(manager, cookie, (session) => session.get('cart'))
  assert.deepEqual(result, cart)
}

function measure(): Measure {
  for (let times = 0; times < 2; times++) globalThis.gc!()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { sessions: served, heap: heapUsed, outside: external, whole: rss }
}

function print({ heap, outside, whole }: Measure): void {
  const [inHeap, beside, all] = [heap, outside, whole].map((bytes) => (bytes / 2 ** 20).toFixed(1))
  const seconds = (performance.now() / 1000).toFixed(0)
  console.log(
    `${served}`.padStart(10) +
      seconds.padStart(10) +
      inHeap!.padStart(11) +
      beside!.padStart(17) +
      all!.padStart(20),
  )
}
