import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../../../src/core/errors.ts'
import { MemcachedStore } from '../../../../src/core/stores/memcached/memcached-store.ts'
import type { StoredRecord } from '../../../../src/core/stores/store.ts'
import type { Fault, FaultProxy } from '../../../support/fault-proxy.ts'
import { startMemcached, type Memcached } from '../../../support/memcached.ts'
import {
  add,
  askAll,
  judgeAll,
  mixed,
  newKey,
  prepare,
  prepareAll,
  shown,
  type Answer,
  type Operation,
  type Question,
  type Verdict,
} from '../../../support/questions.ts'
import { seeded } from '../../../support/seeded.ts'
import { useServers } from '../../../support/servers.ts'

const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))
// Ahead of useServers, so that it runs after everything has been closed.
afterEach(async () => {
  await nextTurn()
  expect(unhandled.splice(0), 'F6: unhandled rejections').toEqual([])
})

const { onEnd, memcached, proxy: startProxy } = useServers()

/** A deadline that only a hang would reach, where the deadline is not what is tested. */
function open({ port }: { port: number }, operationTimeoutMs = 5000): MemcachedStore {
  const store = new MemcachedStore({
    servers: `127.0.0.1:${port}`,
    operationTimeoutMs,
    connectTimeoutMs: operationTimeoutMs,
  })
  onEnd(() => store.close())
  return store
}

async function openBehindProxy(
  operationTimeoutMs?: number,
): Promise<{ proxy: FaultProxy; store: MemcachedStore }> {
  const proxy = await startProxy(await memcached())
  return { proxy, store: open(proxy, operationTimeoutMs) }
}

async function askAndJudge(question: Question): Promise<Verdict> {
  return question.judge(await question.ask())
}

describe('replies that are cut short', () => {
  const figures = { cuts: 0, exact: 0, missing: 0, error: 0, wrong: 0 }
  afterAll(() => {
    const { cuts, exact, missing, error, wrong } = figures
    console.log(
      `F3: ${cuts} cuts; answers: ${exact} exact, ${missing} rightly missing, ${error} errors; wrong bytes: ${wrong}`,
    )
  })

  /** A network of its own, and what is asked while it breaks. */
  async function prepareFlight(server: Memcached, operations: readonly Operation[]) {
    const proxy = await startProxy(server)
    const store = open(proxy, 1500)
    const neighbour = await prepare(store, 'get')
    const questions = await prepareAll(store, operations)
    return {
      proxy,
      ask: () => askAll(questions),
      async judge(answers: Answer[], offset: number): Promise<Verdict[]> {
        try {
          expect(await askAndJudge(neighbour), 'the very next request').toBe('exact')
          const verdicts = await judgeAll(questions, answers)
          for (const verdict of verdicts) figures[verdict]++
          return verdicts
        } catch (cause) {
          figures.wrong++
          throw new Error(`cut at byte ${offset}`, { cause })
        } finally {
          await store.close()
          await proxy.close()
        }
      },
    }
  }

  async function lengthOfReplies(server: Memcached, operations: readonly Operation[]): Promise<number> {
    const { proxy, ask } = await prepareFlight(server, operations)
    proxy.fault = { type: 'none' }
    await ask()
    return proxy.delivered
  }

  type Cut = Fault & { type: 'cut' }

  /** Many at a time where they stall, since that takes time; not all, so that a busy machine keeps the deadlines. */
  async function cutEach(
    server: Memcached,
    operations: readonly Operation[],
    cuts: readonly Cut[],
  ): Promise<Verdict[]> {
    const size = cuts[0]!.by === 'stall' ? 64 : 1
    const verdicts: Verdict[] = []
    for (let start = 0; start < cuts.length; start += size) {
      verdicts.push(...(await cutTogether(server, operations, cuts.slice(start, start + size))))
    }
    return verdicts
  }

  async function cutTogether(
    server: Memcached,
    operations: readonly Operation[],
    cuts: readonly Cut[],
  ): Promise<Verdict[]> {
    const flights = []
    for (const cut of cuts) flights.push({ ...(await prepareFlight(server, operations)), cut })
    const answers = await Promise.all(
      flights.map(async ({ proxy, ask, cut }) => {
        proxy.fault = cut
        const answers = await ask()
        expect(proxy.fault.type, 'the cut was not reached').not.toBe('cut')
        proxy.fault = { type: 'none' }
        figures.cuts++
        return answers
      }),
    )
    const verdicts: Verdict[] = []
    for (const [index, { judge, cut }] of flights.entries()) {
      verdicts.push(...(await judge(answers[index]!, cut.after)))
    }
    return verdicts
  }

  const operations: Operation[][] = [
    ['get'],
    ['peek'],
    ['get of nothing'],
    ['peek of nothing'],
    ['add'],
    ['replace'],
    mixed,
  ]
  const ends = ['close', 'reset', 'stall'] as const
  it.each(
    operations.flatMap((operations) => ends.map((by) => [by, operations.join(', '), operations] as const)),
  )(
    'F3: a %s at any byte leaves exact answers and errors, and the next request is right: %s',
    async (by, _, operations) => {
      const server = await memcached()
      const length = await lengthOfReplies(server, operations)
      const cuts = upTo(length + 1).map((after) => ({ type: 'cut', after, by }) as const)
      const verdicts = await cutEach(server, operations, cuts)
      // The last cut, behind all replies, comes too late to do harm.
      expect(verdicts.slice(-operations.length)).not.toContain('error')
    },
    60_000,
  )

  it.each(['get', 'peek'] as const)(
    'F3: a %s whose repetition is cut at the same byte rejects',
    async (read) => {
      const server = await memcached()
      const length = await lengthOfReplies(server, [read])
      const cut = (after: number, next: Fault) => ({ type: 'cut', after, by: 'close', next }) as const
      const cuts = upTo(length).map((after) => cut(after, cut(after, { type: 'none' })))
      expect(await cutEach(server, [read], cuts)).toEqual(cuts.map(() => 'error'))
    },
  )

  function upTo(count: number): number[] {
    return [...Array(count).keys()]
  }
})

describe('MemcachedStore behind a bad network', () => {
  /** What comes of a question that is asked while the network is as bad as that, and how long it takes. */
  async function askDuring(proxy: FaultProxy, fault: Fault, question: Question) {
    proxy.fault = fault
    const start = performance.now()
    const answer = await question.ask()
    const milliseconds = performance.now() - start
    proxy.fault = { type: 'none' }
    return { verdict: await question.judge(answer), milliseconds }
  }

  it('F3: puts together replies that come one byte at a time', async () => {
    const { proxy, store } = await openBehindProxy()
    const questions = await prepareAll(store, mixed)
    proxy.fault = { type: 'chunks' }
    const verdicts = await judgeAll(questions, await askAll(questions))
    expect(verdicts).toEqual(['exact', 'exact', 'missing', 'exact', 'exact'])
    expect(proxy.connections).toBe(1)
  })

  it('F3: takes no garbage for an answer', async () => {
    const { proxy, store } = await openBehindProxy()
    const random = seeded(1)
    for (let round = 0; round < 50; round++) {
      const questions = await prepareAll(store, mixed)
      proxy.fault = { type: 'garbage', replace: (bytes) => bytes.map(() => random() * 256) }
      const answers = await askAll(questions)
      proxy.fault = { type: 'none' }
      expect(await judgeAll(questions, answers)).toEqual(mixed.map(() => 'error'))
    }
  })

  it('F2: asks again for what was answered with garbage once', async () => {
    const { proxy, store } = await openBehindProxy()
    const question = await prepare(store, 'get')
    proxy.fault = {
      type: 'garbage',
      replace(bytes) {
        proxy.fault = { type: 'none' }
        return Buffer.alloc(bytes.length, 0x81)
      },
    }
    expect(await askAndJudge(question)).toBe('exact')
    expect(proxy.connections).toBe(2)
  })

  it.each([...mixed.keys()])('F3: does not make up for a lost reply with the next one (%i)', async (lost) => {
    const { proxy, store } = await openBehindProxy(1000)
    const questions = await prepareAll(store, [...mixed.slice(lost), ...mixed.slice(0, lost)])
    proxy.fault = { type: 'swallow' }
    const start = performance.now()
    const answers = await askAll(questions)
    expect(proxy.fault.type).toBe('none')
    expect(performance.now() - start).toBeLessThan(900)
    await judgeAll(questions, answers)
  })

  it('F2: waits for a lost reply no longer than the deadline', async () => {
    const { proxy, store } = await openBehindProxy(200)
    const question = await prepare(store, 'get')
    const { verdict, milliseconds } = await askDuring(proxy, { type: 'swallow' }, question)
    expect(verdict).toBe('error')
    expect(milliseconds).toBeGreaterThan(195)
    expect(milliseconds).toBeLessThan(600)
  })

  it('waits for a slow reply', async () => {
    const { proxy, store } = await openBehindProxy()
    const question = await prepare(store, 'get')
    const { verdict, milliseconds } = await askDuring(proxy, { type: 'latency', ms: 100 }, question)
    expect(verdict).toBe('exact')
    expect(milliseconds).toBeGreaterThan(95)
  })

  it('F2: waits for a slow reply no longer than the deadline', async () => {
    const { proxy, store } = await openBehindProxy(200)
    const question = await prepare(store, 'get')
    const { verdict, milliseconds } = await askDuring(proxy, { type: 'latency', ms: 1000 }, question)
    expect(verdict).toBe('error')
    expect(milliseconds).toBeGreaterThan(195)
    expect(milliseconds).toBeLessThan(600)
    expect(await askAndJudge(question)).toBe('exact')
  })

  it('F2: does not wait for a server that refuses connections, and is back with it', async () => {
    const { proxy, store } = await openBehindProxy()
    const question = await prepare(store, 'get')
    const { verdict, milliseconds } = await askDuring(proxy, { type: 'refuse' }, question)
    expect(verdict).toBe('error')
    expect(milliseconds).toBeLessThan(1000)
    expect(await askAndJudge(question)).toBe('exact')
  })
})

describe('the fault proxy', () => {
  it('resets a connection, and does not only close it', async () => {
    const proxy = await startProxy(await memcached())
    const codes: unknown[] = []
    // More than one: Node ends the stream in peace before it resets it, and now and then that is seen first.
    for (let times = 0; times < 10; times++) {
      proxy.fault = { type: 'cut', after: 3, by: 'reset' }
      const socket = connect(proxy.port, '127.0.0.1', () => socket.write('version\r\n')).resume()
      await once(socket, 'close').catch(({ code }) => codes.push(code))
    }
    expect(codes).toContain('ECONNRESET')
  })
})

describe('MemcachedStore and a real memcached in trouble', () => {
  it('F2: waits for one that is frozen no longer than the deadline, and is back with it', async () => {
    const server = await memcached()
    const store = open(server, 300)
    const questions = await prepareAll(store, mixed)
    await server.freeze()
    const start = performance.now()
    const answers = await askAll(questions)
    expect(performance.now() - start).toBeGreaterThan(295)
    expect(performance.now() - start).toBeLessThan(700)
    server.thaw()
    expect(await judgeAll(questions, answers)).toEqual(mixed.map(() => 'error'))
    expect(await askAndJudge(questions[0]!)).toBe('exact')
  })

  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'F2: fails at once while it is gone after a %s, and works with the next one, which knows no records',
    async (signal) => {
      const server = await memcached()
      const store = open(server)
      const key = newKey()
      const { version } = (await add(store, key, 'old'))!
      await server.stop(signal)
      const start = performance.now()
      await expect(store.get(key, 100)).rejects.toThrow(StoreUnavailableError)
      expect(performance.now() - start).toBeLessThan(1000)

      const successor = await startMemcached({ port: server.port })
      onEnd(() => successor.stop())
      expect(await store.get(key, 100)).toBeUndefined()
      expect(await store.replace(key, Buffer.from('new'), 100, version)).toEqual({ outcome: 'missing' })
      const questions = await prepareAll(store, mixed)
      const verdicts = await judgeAll(questions, await askAll(questions))
      expect(verdicts).toEqual(['exact', 'exact', 'missing', 'exact', 'exact'])
    },
  )

  it('F2: does not wait for one that dies over a request', async () => {
    const server = await memcached()
    const store = open(server)
    const questions = await prepareAll(store, mixed)
    await server.freeze()
    const start = performance.now()
    const answers = askAll(questions)
    await nextTurn()
    await server.stop('SIGKILL')
    for (const answer of await answers) expect(answer).toEqual({ error: expect.any(StoreUnavailableError) })
    expect(performance.now() - start).toBeLessThan(1000)
  })

  it('does not notice that it closes connections that are idle', async () => {
    const proxy = await startProxy(await memcached('-o', 'idle_timeout=1'))
    const store = open(proxy)
    const questions = await prepareAll(store, mixed)
    const [socket] = proxy.sockets
    await once(socket!, 'close')
    const verdicts = await judgeAll(questions, await askAll(questions))
    expect(verdicts).toEqual(['exact', 'exact', 'missing', 'exact', 'exact'])
    expect(proxy.connections).toBe(2)
  })

  it('M6: says that it has no memory left, and keeps the old record', async () => {
    const store = open(await memcached('-m', '1', '-I', '512k', '-M'))
    const key = newKey()
    const before = (await add(store, key, 'old'))!
    const large = Buffer.alloc(100_000)
    const outOfMemory = { cause: new Error('memcached refused: out of memory') }
    const fill = async () => {
      for (let count = 0; count < 40; count++) await store.add(newKey(), large, 100)
    }
    await expect(fill()).rejects.toMatchObject({ operation: 'add', ...outOfMemory })
    await expectRefused(store, key, large, before, outOfMemory)
  })

  it('M6: says that a record is larger than it takes, and keeps the old one', async () => {
    const store = open(await memcached('-I', '512k'))
    const key = newKey()
    const before = (await add(store, key, 'old'))!
    const large = Buffer.alloc(600_000)
    await expectRefused(store, key, large, before, { cause: new Error('memcached refused: value too large') })
  })

  /** More often than a breaker would bear with: the server is well. */
  async function expectRefused(
    store: MemcachedStore,
    key: string,
    bytes: Buffer,
    before: StoredRecord,
    refusal: object,
  ): Promise<void> {
    for (let times = 0; times < 6; times++) {
      const replacing = store.replace(key, bytes, 100, before.version)
      await expect(replacing).rejects.toThrow(StoreUnavailableError)
      await expect(replacing).rejects.toMatchObject({ operation: 'replace', ...refusal })
    }
    await expect(store.add(newKey(), bytes, 100)).rejects.toMatchObject({ operation: 'add', ...refusal })
    expect(shown(await store.get(key, 100))).toBe(shown(before))
  }
})
