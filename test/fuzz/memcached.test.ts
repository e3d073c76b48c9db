import type { Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import { MemcachedStore } from '../../src/core/stores/memcached/memcached-store.ts'
import { within } from '../../src/core/stores/deadline.ts'
import { seedOr } from '../model/seed.ts'
import { replyTo, type FakeRequest } from '../support/fake-server.ts'
import { useServers } from '../support/servers.ts'
import {
  answersIn,
  conversations,
  soundConversations,
  soundReply,
  type Answer,
  type Conversation,
  type Operation,
  type Reply,
} from './conversations.ts'
import { FUZZ_TIMEOUT_MS, runsOr } from './runs.ts'

const seed = seedOr(112_110_001)
const AT_ONCE = 20
const CONVERSATIONS = process.env.FUZZ_RUNS ? Math.ceil(runsOr(0) / 10) : 300
const DEADLINE_MS = 300
/** What a busy machine may add. */
const PATIENCE_MS = 20_000

const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))
// Ahead of useServers, so that it runs after everything has been closed.
afterEach(async () => {
  await nextTurn()
  expect(unhandled.splice(0), 'F6: unhandled rejections').toEqual([])
})

const { onEnd, fake } = useServers()

const apples = new Uint8Array(Buffer.from('apples'))
const version = new Uint8Array(8).fill(1)
const found = Buffer.from('what a sound server holds')

const operations: Record<Operation, (store: MemcachedStore, key: string) => Promise<unknown>> = {
  get: (store, key) => store.get(key, 100),
  peek: (store, key) => store.get(key, undefined),
  add: (store, key) => store.add(key, apples, 100),
  replace: (store, key) => store.replace(key, apples, 100, version),
  set: (store, key) => store.set(key, apples, 100),
  delete: (store, key) => store.delete(key),
}

/** What the operation may resolve with if that was the answer; none where only an error is right. */
function resultsOf(operation: Operation, { status, version, value }: Answer): unknown[] {
  const isVersioned = version.some((byte) => byte !== 0)
  const known = new Uint8Array(version)
  switch (operation) {
    case 'get':
    case 'peek':
      if (status === 0 && isVersioned) return [{ bytes: new Uint8Array(value), version: known }]
      return status === 1 ? [undefined] : []
    case 'add':
      if (status === 0 && isVersioned) return [known]
      return status === 2 ? [undefined] : []
    case 'replace':
      if (status === 0 && isVersioned) return [{ outcome: 'replaced', version: known }]
      return status === 1 ? [{ outcome: 'missing' }] : status === 2 ? [{ outcome: 'conflict' }] : []
    case 'set':
      return status === 0 ? [undefined] : []
    case 'delete':
      return status === 0 || status === 1 ? [undefined] : []
  }
}

/** The server's side of a conversation. */
class Script {
  readonly name: string
  readonly #replies: Reply[]
  readonly #connections = new Map<
    Socket,
    { requests: FakeRequest[]; sent: Buffer[]; writing: Promise<void> }
  >()

  constructor(name: string, replies: readonly Reply[]) {
    this.name = name
    this.#replies = [...replies]
  }

  has(socket: Socket): boolean {
    return this.#connections.has(socket)
  }

  answer(request: FakeRequest): void {
    const { socket } = request
    const connection = this.#connections.get(socket) ?? { requests: [], sent: [], writing: Promise.resolve() }
    this.#connections.set(socket, connection)
    connection.requests.push(request)
    const reply = this.#replies.shift()
    const bytes = reply ? reply.bytes(request) : soundReply(request, found)
    connection.sent.push(bytes)
    connection.writing = connection.writing.then(() => send(socket, bytes, reply))
  }

  /** Whatever was asked is answered soundly from here on. */
  recover(): void {
    this.#replies.length = 0
  }

  /** What was sent on each connection. */
  get transcript(): string {
    return [...this.#connections.values()]
      .map(({ requests, sent }) =>
        sent.map((bytes, index) => `to ${requests[index]!.opcode}: ${bytes.toString('hex')}`).join(', '),
      )
      .join('; ')
  }

  /** What was answered to requests with this key, on whatever connection. */
  answersTo(key: string): Answer[] {
    return [...this.#connections.values()].flatMap(({ requests, sent }) =>
      [...answersIn(Buffer.concat(sent), requests)].flatMap(([request, answer]) =>
        request.key.endsWith(key) ? [answer] : [],
      ),
    )
  }
}

async function send(socket: Socket, bytes: Buffer, reply: Reply | undefined): Promise<void> {
  const cuts = (reply?.splits ?? [])
    .map((share) => Math.round(share * bytes.length))
    .toSorted((a, b) => a - b)
  for (const [index, cut] of [...cuts, bytes.length].entries()) {
    socket.write(bytes.subarray(cuts[index - 1] ?? 0, cut))
    await nextTurn()
  }
  if (reply?.ending === 'close') socket.end()
  if (reply?.ending === 'reset') socket.resetAndDestroy()
}

type Outcome = { result: unknown } | { error: unknown }

interface Asked {
  operation: Operation
  outcome: Outcome
  answers: Answer[]
  /** What to show of it when it is wrong. */
  transcript: string
}

/** One server for all conversations: it knows them by the client's key prefix, its user, or the connection. */
async function startStage() {
  const scripts: Script[] = []
  const server = await fake((request) => {
    const told = `${request.key} ${request.value.toString('latin1')}`
    const script = scripts.find((each) => each.has(request.socket) || told.includes(each.name))
    if (script) script.answer(request)
    else request.socket.write(replyTo(request))
  })
  let count = 0
  return {
    async hold({ rounds, replies, isAuthenticated }: Conversation, deadlineMs: number): Promise<Asked[]> {
      const name = `c${++count}:`
      const script = new Script(name, replies)
      scripts.push(script)
      const store = new MemcachedStore({
        servers: `127.0.0.1:${server.port}`,
        keyPrefix: name,
        operationTimeoutMs: deadlineMs,
        connectTimeoutMs: deadlineMs,
        ...(isAuthenticated && { username: name, password: 'secret' }),
      })
      onEnd(() => store.close())
      const asked: Asked[] = []
      for (const [index, round] of rounds.entries()) {
        const settled = await Promise.all(
          round.map(async (operation, place) => {
            const key = `${index}${place}`.padStart(43, 'k')
            const asked = operations[operation](store, key)
            const outcome = await within(deadlineMs + PATIENCE_MS, () => asked).then(
              (result) => ({ result }),
              (error: unknown) => ({ error }),
            )
            return { operation, key, outcome }
          }),
        )
        for (const { key, ...each } of settled) {
          asked.push({ ...each, answers: script.answersTo(key), transcript: script.transcript })
        }
      }
      script.recover()
      expect(await untilAnswered(store)).toEqual({ bytes: new Uint8Array(found), version: expect.anything() })
      await store.close()
      scripts.splice(scripts.indexOf(script), 1)
      return asked
    },
  }
}

/** After five failures in a row, or a refused password, the server is left alone until a probe, for a second at most. */
async function untilAnswered(store: MemcachedStore): Promise<unknown> {
  const end = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return await store.get('k'.repeat(43), 100)
    } catch (error) {
      if (performance.now() > end) throw error
      await sleep(100)
    }
  }
}

/** Several at once, since most of a conversation is waiting. */
async function holdAll(
  arbitrary: fc.Arbitrary<Conversation>,
  count: number,
  deadlineMs: number,
  check: (asked: Asked) => void,
): Promise<void> {
  const stage = await startStage()
  const drawn = fc.sample(arbitrary, { seed, numRuns: count }).values()
  const holdSome = async () => {
    for (const conversation of drawn)
      for (const asked of await stage.hold(conversation, deadlineMs)) check(asked)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, holdSome))
}

describe('a memcached that answers anything', () => {
  it(
    'F2, F3, F6: each operation settles in time, with what was really answered or with an error, and the client recovers',
    async () => {
      const counts: Record<string, number> = {}
      await holdAll(conversations, CONVERSATIONS, DEADLINE_MS, (asked) => {
        const { operation, outcome, answers, transcript } = asked
        const what = 'error' in outcome ? 'error' : outcome.result === undefined ? 'nothing' : 'something'
        counts[`${operation}: ${what}`] = (counts[`${operation}: ${what}`] ?? 0) + 1
        if ('error' in outcome) {
          expect(outcome.error, transcript).toBeInstanceOf(StoreUnavailableError)
          expect(outcome.error).toMatchObject({ operation: operation === 'peek' ? 'get' : operation })
        } else {
          const allowed = answers.flatMap((answer) => resultsOf(operation, answer))
          expect(allowed, `${operation}, answered with ${transcript}`).toContainEqual(outcome.result)
        }
      })
      console.log(`memcached: ${CONVERSATIONS} conversations, seed ${seed}, ${JSON.stringify(counts)}`)
      const failures = Object.keys(operations).map((operation) => `${operation}: error`)
      expect(Object.keys(counts)).toEqual(
        expect.arrayContaining([
          ...failures,
          'get: something',
          'get: nothing',
          'peek: something',
          'replace: something',
        ]),
      )
    },
    FUZZ_TIMEOUT_MS,
  )

  it(
    'F3: whatever pieces sound replies come in, each operation has the very answer',
    async () => {
      await holdAll(soundConversations, Math.ceil(CONVERSATIONS / 3), PATIENCE_MS, (asked) => {
        const { operation, outcome, answers, transcript } = asked
        expect(answers, transcript).toHaveLength(1)
        const results = resultsOf(operation, answers[0]!)
        const expected =
          results.length > 0 ? { result: results[0] } : { error: expect.any(StoreUnavailableError) }
        expect(outcome, `${operation}, answered with ${transcript}`).toEqual(expected)
      })
    },
    FUZZ_TIMEOUT_MS,
  )
})
