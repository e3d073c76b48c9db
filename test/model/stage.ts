import {
  createSessionManager,
  MemoryStore,
  SessionConflictError,
  SessionEndedError,
  StoreUnavailableError,
  type Session,
  type SessionManager,
} from '../../src/core/index.ts'
import { secret } from '../support/stores.ts'
import type { Committed, Facts } from './model-commit.ts'
import { isEmpty, ModelRequest, type ModelCookie } from './model-request.ts'
import { RecordedStore, type Attempt, type Fault } from './recorded-store.ts'
import type { Data } from './steps.ts'
import { ABSOLUTE, IDLE, World, type ModelSession } from './world.ts'

/** A request, as it is and as the model has it. */
export interface OpenRequest {
  browser: number
  session: Session
  model: ModelRequest
  /** The values that the handler got or set last. */
  values: Map<string, unknown>
}

const MARK_TTL = 34_560_000
const COOKIE = '__Host-session'

/** The model and the real thing side by side; every difference throws. */
export class Stage {
  commands = 0
  /** What commits came to. */
  readonly reached = new Set<string>()
  readonly open: OpenRequest[] = []
  readonly tokens: string[] = []
  readonly #clock = { ms: 1_800_000_000_000 }
  readonly world = new World(this.#clock.ms)
  readonly store = new RecordedStore(new MemoryStore({ now: () => this.#clock.ms }), () => this.#clock.ms)
  readonly #events: string[] = []
  readonly manager = this.#managerOn(this.store)
  readonly #onlooker = this.#managerOn(this.store.quiet)
  /** Each browser's token. */
  readonly #jars: (string | undefined)[] = []
  readonly #marks = new Set<string>()

  openRequest(browser: number, token: string | undefined = this.#jars[browser]): OpenRequest {
    const session = this.manager.open(token === undefined ? undefined : `${COOKIE}=${token}`)
    const model = new ModelRequest(this.world, token)
    const request = { browser, session, model, values: new Map<string, unknown>() }
    this.open.push(request)
    return request
  }

  pass(seconds: number): void {
    this.#clock.ms += seconds * 1000
    this.world.pass(seconds, (key) => this.store.isStored(key))
  }

  async evict(session: ModelSession): Promise<void> {
    await this.store.evict(session.key)
    this.world.evict(session)
  }

  async loseMarks(ids: readonly string[]): Promise<void> {
    for (const key of this.#marks) await this.store.evict(key)
    for (const id of ids) this.world.revokeAll(id)
  }

  async revokeAll(id: string, fault: Fault | undefined): Promise<void> {
    const { outcome } = await this.ask(fault, () => this.manager.revokeAll(id))
    agree('revokeAll', outcome, this.store.hasFailed ? 'outage' : 'done')
    if (this.store.attempts.some(({ operation, isDone }) => operation === 'set' && isDone)) {
      this.world.revokeAll(id)
    }
  }

  /** What the handler does that may ask the store; returns what came of it, unless the store failed. */
  async read<Value>(
    { model }: OpenRequest,
    { key, isWrite = false, fault }: { key?: string; isWrite?: boolean; fault?: Fault | undefined },
    run: () => Promise<Value>,
    expect: () => unknown,
  ): Promise<Value | undefined> {
    const asks = model.needsLoad(key)
    const { outcome, value } = await this.ask(fault, run)
    agree('A2: asked the store', this.store.attempts.length > 0, asks && model.token !== undefined)
    if (this.store.hasFailed) {
      model.failRead(isWrite)
      agree('read', outcome, 'outage')
      return undefined
    }
    if (asks) model.load()
    agree('read', outcome, 'done')
    agree('read', value, expect())
    return value
  }

  async save(request: OpenRequest, wanted: Fault | undefined): Promise<void> {
    const fault = await this.#prepare(request, wanted)
    const { outcome } = await this.ask(fault, () => request.session.save())
    this.#compare('save', outcome, request.model.save(this.#facts(request, fault, outcome)))
  }

  async commit(request: OpenRequest, status: number, wanted: Fault | undefined): Promise<void> {
    const fault = await this.#prepare(request, wanted)
    this.open.splice(this.open.indexOf(request), 1)
    const headers = new Headers()
    const { outcome } = await this.ask(fault, async () =>
      this.manager.commit(request.session, () => ({ status, headers })),
    )
    // What the handler failed with stands, whatever became of a destroy.
    const isSettled = status < 500 || this.#events.includes('destroyed')
    const facts = this.#facts(request, fault, isSettled ? outcome : 'outage')
    this.#compare('commit', outcome, request.model.commit(status, facts))
    this.#takeCookie(request, headers.getSetCookie())
  }

  /** Every session as a fresh request with its token sees it, without touching it. */
  async compareSessions(): Promise<void> {
    for (const session of this.world.sessions) {
      if (session.token === undefined) continue
      const onlooker = this.#onlooker.open(`${COOKIE}=${session.token}`)
      const actual = (await onlooker.exists()) ? await onlooker.entries() : undefined
      const expected = this.world.look(session) === 'live' ? objectOf(session.data) : undefined
      agree(`what token ${this.tokens.indexOf(session.token)} holds`, actual, expected)
    }
  }

  async ask<Value>(
    fault: Fault | undefined,
    run: () => Promise<Value>,
  ): Promise<{ outcome: string; value: Value | undefined }> {
    this.#events.length = 0
    this.store.begin(fault)
    const result = await run().then(
      (value) => ({ outcome: 'done', value }),
      (error: unknown) => ({ outcome: outcomeOf(error), value: undefined }),
    )
    for (const { key, ttl } of this.store.attempts) if (ttl === MARK_TTL) this.#marks.add(key)
    return result
  }

  /** What comes of a single failure is followed only where one thing is written, to a session that is loaded. */
  async #prepare(request: OpenRequest, fault: Fault | undefined): Promise<Fault | undefined> {
    if (fault === undefined || fault === 'outage') return fault
    const { model, session } = request
    const steps = Number(model.isDestroying) + model.batches.filter((batch) => !isEmpty(batch)).length
    if (steps !== 1 || (model.isDestroying && !model.loaded)) return undefined
    await this.read(
      request,
      {},
      () => session.exists(),
      () => model.exists(),
    )
    return fault
  }

  #facts({ model }: OpenRequest, fault: Fault | undefined, outcome: string): Facts {
    const { attempts } = this.store
    const failed = attempts.filter(({ isAnswered }) => !isAnswered)
    const isCreation = ({ operation, ttl }: Attempt) => operation === 'add' && ttl !== MARK_TTL
    const isSwap = ({ operation, key }: Attempt) => operation === 'replace' && key === model.session?.key
    const added = attempts.filter((attempt) => isCreation(attempt) && attempt.isDone)
    // B4, E4: one failure of a creation or a swap is made good.
    const isMadeGood =
      failed.length === 1 && failed.every((attempt) => isCreation(attempt) || isSwap(attempt))
    return {
      isDown: fault === 'outage',
      hasFailed: failed.length > 0,
      isUnsettled: outcome === 'outage' && failed.length > 0 && !isMadeGood,
      isRefused: outcome === 'refused',
      isInDoubt: failed.some(isSwap),
      isWritten: (key) =>
        attempts.some(
          (attempt) => attempt.key === key && attempt.isDone && !['get', 'add'].includes(attempt.operation),
        ),
      addedKey: () => (fault ? added.pop() : added.shift())?.key ?? 'none',
    }
  }

  #compare(what: 'save' | 'commit', outcome: string, expected: Committed): void {
    agree(what, outcome, expected.outcome)
    for (const reached of [`${what}: ${outcome}`, ...expected.lost]) this.reached.add(reached)
    const lost = this.#events.filter((type) => type === 'dropped' || type === 'missing')
    agree(`${what}: events`, lost, expected.lost)
    if (!this.store.hasFailed) agree(`${what}: D2: wrote`, this.store.hasWritten, expected.writes)
  }

  #takeCookie({ browser, model }: OpenRequest, lines: string[]): void {
    const [, token, maxAge] = /^__Host-session=([^;]*);(?:.* Max-Age=(\d+);)?/.exec(lines[0] ?? '') ?? []
    const { cookie } = model
    this.reached.add(`cookie: ${kindOf(cookie)}`)
    if (cookie === undefined) return agree('Set-Cookie', lines, [])
    if (cookie === 'cleared') {
      agree('Set-Cookie', [lines.length, token, maxAge], [1, '', '0'])
      this.#jars[browser] = undefined
      return undefined
    }
    agree('Set-Cookie: Max-Age', [lines.length, maxAge], [1, cookie.maxAge?.toString()])
    const { session } = cookie
    agree('Set-Cookie: token', token, session.token ?? (this.tokens.includes(token!) ? 'a new one' : token))
    if (session.token === undefined) this.tokens.push(token!)
    session.token = token!
    this.#jars[browser] = token!
    return undefined
  }

  #managerOn(store: RecordedStore['quiet']): SessionManager {
    return createSessionManager({
      store,
      secret,
      idleTimeout: IDLE,
      absoluteTimeout: ABSOLUTE,
      now: () => this.#clock.ms,
      onEvent: ({ type }) => this.#events.push(type),
    })
  }
}

function kindOf(cookie: ModelCookie): string {
  if (typeof cookie !== 'object') return cookie ?? 'none'
  return cookie.session.token === undefined ? 'new' : 'same'
}

export function objectOf(data: Data): Record<string, unknown> {
  return Object.fromEntries([...data].map(([key, text]) => [key, JSON.parse(text)]))
}

export function agree(what: string, actual: unknown, expected: unknown): void {
  const [got, said] = [show(actual), show(expected)]
  if (got !== said) throw new Error(`${what}: the model says ${said}, got ${got}`)
}

/** JSON with sorted keys. */
function show(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return JSON.stringify(value) ?? 'nothing'
  const entries = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1))
  return `{${entries.map(([key, item]) => `${key}: ${JSON.stringify(item)}`).join(', ')}}`
}

function outcomeOf(error: unknown): string {
  if (error instanceof StoreUnavailableError) return 'outage'
  if (error instanceof SessionConflictError) return error.message.includes('lost') ? 'refused' : 'conflict'
  if (error instanceof SessionEndedError) return 'ended'
  return String(error)
}
