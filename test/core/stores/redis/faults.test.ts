import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../../../src/core/errors.ts'
import { RedisStore } from '../../../../src/core/stores/redis/redis-store.ts'
import { lengthInRedis, type Fault, type FaultProxy } from '../../../support/fault-proxy.ts'
import {
  askAll,
  judgeAll,
  mixed,
  newKey,
  prepare,
  prepareAll,
  type Operation,
  type Question,
  type Verdict,
} from '../../../support/questions.ts'
import { redisClients, type RedisClientKind } from '../../../support/redis-clients.ts'
import { startRedis, type RedisServerProcess } from '../../../support/redis.ts'
import { useServers } from '../../../support/servers.ts'

const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))
// Ahead of useServers, so that it runs after everything has been closed.
afterEach(async () => {
  await nextTurn()
  expect(unhandled.splice(0), 'F6: unhandled rejections').toEqual([])
})

const { onEnd, proxy: startProxy } = useServers()

let server: RedisServerProcess
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

const DEADLINE_MS = 50

/** A network of its own, and a client on it. */
interface Line {
  proxy: FaultProxy
  /** Held to a short deadline. */
  store: RedisStore
  /** Over the same client, with a deadline that only a hang would reach. */
  patient: RedisStore
  close(): Promise<void>
}

async function openLine(kind: RedisClientKind, operationTimeoutMs = DEADLINE_MS): Promise<Line> {
  const proxy = await startProxy(server)
  const { client, disconnect } = await kind.connect(proxy.port)
  onEnd(disconnect)
  const patient = new RedisStore(client, { operationTimeoutMs: 10_000 })
  // ioredis and its fork ask for INFO before anything else.
  await patient.get(newKey(), 100)
  return {
    proxy,
    store: new RedisStore(client, { operationTimeoutMs }),
    patient,
    async close() {
      disconnect()
      await proxy.close()
    },
  }
}

describe('replies that are cut short', () => {
  const ends = ['close', 'reset', 'stall'] as const
  /** As many lines at a time as a busy machine serves within the deadline. */
  const AT_A_TIME = 24

  async function lengthOfReplies(kind: RedisClientKind, operations: readonly Operation[]): Promise<number> {
    const line = await openLine(kind, 10_000)
    const questions = await prepareAll(line.store, operations, line.patient)
    line.proxy.fault = { type: 'none' }
    await askAll(questions)
    const { delivered } = line.proxy
    await line.close()
    return delivered
  }

  async function cut(
    kind: RedisClientKind,
    operations: readonly Operation[],
    fault: Fault & { type: 'cut' },
    deadlineMs: number,
  ): Promise<Verdict[]> {
    const line = await openLine(kind, deadlineMs)
    const neighbour = await prepare(line.patient, 'get')
    const questions = await prepareAll(line.store, operations, line.patient)
    line.proxy.fault = fault
    const answers = await askAll(questions)
    await expect.poll(() => line.proxy.fault.type, { interval: 5 }).not.toBe('cut')
    line.proxy.fault = { type: 'none' }
    try {
      expect(await neighbour.judge(await neighbour.ask()), 'the very next request').toBe('exact')
      return await judgeAll(questions, answers)
    } catch (cause) {
      throw new Error(`cut at byte ${fault.after}`, { cause })
    } finally {
      await line.close()
    }
  }

  const operations: Operation[][] = [['get'], ['peek'], ['get of nothing'], ['add'], ['replace'], mixed]
  it.each(
    redisClients.flatMap((kind, index) => ends.map((by) => ({ kind, by, every: index === 0 ? 1 : 7 }))),
  )(
    'F3: a $by at any byte leaves exact answers and errors, and the next request is right: $kind.name, one in $every',
    async ({ kind, by, every }) => {
      const figures = { cuts: 0, exact: 0, missing: 0, error: 0 }
      const all: (() => Promise<void>)[] = []
      for (const asked of operations) {
        const length = await lengthOfReplies(kind, asked)
        for (let after = 0; after <= length; after++) {
          const isLast = after === length
          if (after % every !== 0 && !isLast) continue
          all.push(async () => {
            // The last one, behind all replies, comes too late to do harm.
            const verdicts = await cut(kind, asked, { type: 'cut', after, by }, isLast ? 10_000 : DEADLINE_MS)
            if (isLast) expect(verdicts).not.toContain('error')
            figures.cuts++
            for (const verdict of verdicts) figures[verdict]++
          })
        }
      }
      for (let begun = 0; begun < all.length; begun += AT_A_TIME) {
        await Promise.all(all.slice(begun, begun + AT_A_TIME).map((run) => run()))
      }
      console.log(`F3, ${kind.name}, ${by}: ${JSON.stringify(figures)}`)
    },
    60_000,
  )
})

describe.each(redisClients)('RedisStore over $name behind a bad network', (kind) => {
  /** What comes of a question that is asked while the network is as bad as that, and how long it takes. */
  async function askDuring(line: Line, fault: Fault, question: Question) {
    line.proxy.fault = fault
    const start = performance.now()
    const answer = await question.ask()
    const milliseconds = performance.now() - start
    line.proxy.fault = { type: 'none' }
    return { answer, milliseconds }
  }

  it('F3: puts together replies that come one byte at a time', async () => {
    const line = await openLine(kind, 10_000)
    const questions = await prepareAll(line.store, mixed, line.patient)
    line.proxy.fault = { type: 'chunks' }
    const verdicts = await judgeAll(questions, await askAll(questions))
    expect(verdicts).toEqual(['exact', 'exact', 'missing', 'exact', 'exact'])
    expect(line.proxy.connections).toBe(1)
  })

  it('F2, F3: takes no garbage for an answer, and works again over another connection', async () => {
    const line = await openLine(kind, 300)
    const questions = await prepareAll(line.store, mixed, line.patient)
    line.proxy.fault = { type: 'garbage', replace: (bytes) => Buffer.alloc(bytes.length, 0x81) }
    const answers = await askAll(questions)
    line.proxy.fault = { type: 'none' }
    // node-redis stays, and waits for what was garbled.
    for (const socket of line.proxy.sockets) socket.destroy()
    expect(await judgeAll(questions, answers)).toEqual(mixed.map(() => 'error'))
  })

  it('F2: waits for a lost reply, or a slow one, no longer than the deadline', async () => {
    const line = await openLine(kind, 200)
    for (const fault of [
      { type: 'latency', ms: 800 },
      { type: 'swallow', lengthOf: lengthInRedis },
    ] as const) {
      const { answer, milliseconds } = await askDuring(
        line,
        fault,
        await prepare(line.store, 'get', line.patient),
      )
      expect(answer).toEqual({ error: expect.any(StoreUnavailableError) })
      expect(milliseconds).toBeGreaterThan(195)
      expect(milliseconds).toBeLessThan(700)
    }
  })

  it('F2: does not wait longer for a server that refuses connections, and is back with it', async () => {
    const line = await openLine(kind, 200)
    const question = await prepare(line.store, 'get', line.patient)
    const { answer, milliseconds } = await askDuring(line, { type: 'refuse' }, question)
    expect(answer).toEqual({ error: expect.any(StoreUnavailableError) })
    expect(milliseconds).toBeLessThan(700)
    expect(await question.judge(answer)).toBe('error')
  })
})
