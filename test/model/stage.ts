import {
  createSessionManager,
  MemoryStore,
  SessionConflictError,
  SessionEndedError,
  StoreUnavailableError,
  type Session,
  type SessionManager,
  type UserSession,
} from '../../src/core/index.ts'
import { Keyring } from '../../src/core/crypto/keyring.ts'
import { secret } from '../support/stores.ts'
import type { Committed, Facts } from './model-commit.ts'
import { isEmpty, ModelRequest, type ModelCookie } from './model-request.ts'
import { CAP, type Entry } from './model-marks.ts'
import { RecordedStore, type Attempt, type Fault } from './recorded-store.ts'
import type { Data } from './steps.ts'
import { ABSOLUTE, IDLE, World, type ModelSession } from './world.ts'

/** A request, as it is and as the model has it. */
export interface OpenRequest {
  browser: number
  manager: SessionManager
  session: Session
  model: ModelRequest
  /** The values that the handler got or set last. */
  values: Map<string, unknown>
}

const COOKIE = '__Host-session'
export const USERS = ['ann', 'bob']
const SECRETS = Array.from({ length: 8 }, (_, index) => `secret ${index}`)
const keyring = new Keyring(COOKIE, () => SECRETS.map((name) => new TextEncoder().encode(secretOf(name))))
const MARK_KEYS = new Set(
  (await Promise.all(USERS.map((userId) => keyring.markKeys(userId)))).flat().map(({ storeKey }) => storeKey),
)

interface Reading {
  key?: string
  isWrite?: boolean
  asks?: boolean
  fault?: Fault | undefined
}

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
  /** Two servers, each of which remembers what it opened; requests go to them in turn. */
  #managers = [this.#managerOn(this.store), this.#managerOn(this.store)]
  #opened = 0
  #onlooker = this.#managerOn(this.store.quiet)
  /** Each browser's token. */
  readonly #jars: (string | undefined)[] = []
  /** Every id that was listed, and of which device. */
  readonly #entries = new Map<string, Entry>()

  openRequest(browser: number, token: string | undefined = this.#jars[browser]): OpenRequest {
    const manager = this.#next()
    const session = manager.open(token === undefined ? undefined : `${COOKIE}=${token}`)
    const model = new ModelRequest(this.world, token)
    const request = { browser, manager, session, model, values: new Map<string, unknown>() }
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

  async loseMarks(): Promise<void> {
    for (const key of MARK_KEYS) await this.store.evict(key)
    this.world.marks.lose()
  }

  /** Whether all requests are served as the next deployment expects: it comes when the last one is everywhere. */
  get canRotate(): boolean {
    if (this.world.secrets.includes(SECRETS.at(-1)!)) return false
    if (this.world.isDropNext) return this.open.length === 0
    return this.open.every(({ manager }) => this.#managers.includes(manager))
  }

  rotate(): void {
    this.world.rotate()
    this.#managers = [this.#managerOn(this.store), this.#managerOn(this.store)]
    this.#onlooker = this.#managerOn(this.store.quiet)
  }

  get entries(): Entry[] {
    return [...this.#entries.values()]
  }

  /** Of one or all of a user's sessions, besides that of a request: E9. */
  async revoke(
    userId: string,
    { entry, except, fault }: { entry?: Entry; except?: OpenRequest | undefined; fault: Fault | undefined },
  ): Promise<void> {
    const { marks, secrets } = this.world
    const { manager } = except ?? { manager: this.#next() }
    const kept = await this.#entryOf(except)
    const isMeant = (each: Entry) => (entry ? each === entry : each !== kept)
    // The list of another user is not asked for it.
    const fits = marks.entries(userId, secrets).some(isMeant)
    const { outcome } = await this.ask(ofWrites(fault), () =>
      entry
        ? manager.revoke(userId, entry.id!)
        : manager.revokeAll(userId, except ? { except: except.session } : {}),
    )
    agree('revoke', outcome, fault === 'outage' ? 'outage' : 'done')
    agree(
      'revoke: wrote',
      this.store.attempts.some(({ operation }) => operation !== 'get'),
      fits && outcome === 'done',
    )
    if (outcome === 'done') marks.remove(userId, secrets, isMeant)
  }

  async list(userId: string, current: OpenRequest | undefined, fault: Fault | undefined): Promise<void> {
    const own = await this.#entryOf(current)
    const { outcome, value } = await this.ask(ofWrites(fault), () =>
      (current?.manager ?? this.#next()).listSessions(userId, current ? { current: current.session } : {}),
    )
    agree('listSessions', outcome, fault === 'outage' ? 'outage' : 'done')
    if (value) this.#compareList(userId, value, own, current?.model.secrets)
  }

  /** The entry of a request's session, which is loaded for that. */
  async #entryOf(request: OpenRequest | undefined): Promise<Entry | undefined> {
    if (!request) return undefined
    const { model } = request
    await this.read(
      request,
      {},
      () => request.session.exists(),
      () => model.exists(),
    )
    return model.loaded === 'live' ? model.session!.entry : undefined
  }

  /** What the handler does that may ask the store; returns what came of it, unless the store failed. */
  async read<Value>(
    { model }: OpenRequest,
    { key, isWrite = false, asks = model.needsLoad(key), fault }: Reading,
    run: () => Promise<Value>,
    expect: () => unknown,
  ): Promise<Value | undefined> {
    const { outcome, value } = await this.ask(fault, run)
    const { attempts } = this.store
    agree('A2: asked the store', attempts.length > 0, asks && model.token !== undefined)
    if (attempts.some(({ operation, isAnswered }) => operation === 'get' && !isAnswered)) {
      model.failRead(isWrite)
      agree('read', outcome, 'outage')
      return undefined
    }
    // That the session is seen is written down, or not.
    const isSeen = attempts.some(({ operation, isDone }) => operation !== 'get' && isDone)
    if (asks) agree('E10: writes', this.store.hasWritten, model.load(isSeen))
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
      request.manager.commit(request.session, () => ({ status, headers })),
    )
    // What the handler failed with stands, whatever became of a destroy.
    const isSettled = status < 500 || this.#events.includes('destroyed')
    const facts = this.#facts(request, fault, isSettled ? outcome : 'outage')
    this.#compare('commit', outcome, request.model.commit(status, facts))
    this.#takeCookie(request, headers.getSetCookie())
  }

  /** Every session as a fresh request with its token sees it, without touching it, and every user's list. */
  async compareSessions(): Promise<void> {
    const { world } = this
    for (const session of world.sessions) {
      if (session.token === undefined) continue
      const onlooker = this.#onlooker.open(`${COOKIE}=${session.token}`)
      const name = `token ${this.tokens.indexOf(session.token)}`
      const actual = (await onlooker.exists()) ? await onlooker.entries() : undefined
      const isLive = world.look(session) === 'live'
      agree(`what ${name} holds`, actual, isLive ? objectOf(session.data) : undefined)
      agree(`whose ${name} is`, await onlooker.userId(), isLive ? session.entry?.userId : undefined)
      if (isLive && session.entry && !world.isBlurred(session) && !world.outlivesItsList(session)) {
        agree(`E10: ${name} is listed`, world.marks.hasRunOut(session.entry), false)
      }
    }
    for (const userId of USERS) this.#compareList(userId, await this.#onlooker.listSessions(userId))
  }

  #compareList(
    userId: string,
    actual: UserSession[],
    current?: Entry,
    secrets: readonly string[] = this.world.secrets,
  ): void {
    const { marks } = this.world
    const expected = marks.shown(userId, secrets)
    const shown = expected.map(({ label, signedInAt, lastSeenAt }) => ({ label, signedInAt, lastSeenAt }))
    const listed = actual.map(({ label, signedInAt, lastSeenAt }) => ({ label, signedInAt, lastSeenAt }))
    agree(`E10: the list of ${userId}`, listed, shown)
    for (const [index, entry] of expected.entries()) {
      const { id, isCurrent } = actual[index]!
      if (entry.id === undefined) agree('E9: an id is new', this.#entries.has(id), false)
      entry.id ??= id
      this.#entries.set(id, entry)
      agree('E9: an id stays', id, entry.id)
      agree('isCurrent', isCurrent, entry === current)
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
    // What nobody waits for is done by then.
    if (fault) await new Promise(setImmediate)
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
    const { end, entry } = model.session ?? {}
    const [batch] = model.batches
    const isOfUsers =
      batch?.signIn || (entry && (batch?.regenerates || batch?.timeouts || model.isDestroying))
    return isOfUsers || (model.isDestroying && end?.successor) ? ofWrites(fault) : fault
  }

  #facts({ model }: OpenRequest, fault: Fault | undefined, outcome: string): Facts {
    const { attempts } = this.store
    const failed = attempts.filter(({ isAnswered }) => !isAnswered)
    const isCreation = ({ operation, key }: Attempt) => operation === 'add' && !MARK_KEYS.has(key)
    const isSwap = ({ operation, key }: Attempt) => operation === 'replace' && key === model.session?.key
    const added = attempts.filter((attempt) => isCreation(attempt) && attempt.isDone && attempt.isAnswered)
    // B4, E4: one failure of a creation or a swap is made good.
    const isMadeGood =
      failed.length === 1 && failed.every((attempt) => isCreation(attempt) || isSwap(attempt))
    // A session that nobody knows yet is written but once: what came between is not worth a second try.
    const isRewrite = ({ operation, key }: Attempt) =>
      operation === 'replace' && added.some((attempt) => attempt.key === key)
    const mayBeTold = !isOfWrites(fault) || failed.every(isRewrite)
    return {
      isDown: fault === 'outage',
      hasFailed: failed.length > 0,
      isUnsettled: outcome === 'outage' && failed.length > 0 && !isMadeGood && mayBeTold,
      isRefused: outcome === 'refused',
      isFirstWriteLost:
        attempts.find(({ operation }) => operation !== 'get')?.isDone === false && failed.length > 0,
      isInDoubt: failed.some(isSwap),
      isWritten: (key) =>
        attempts.some(
          (attempt) => attempt.key === key && attempt.isDone && !['get', 'add'].includes(attempt.operation),
        ),
      addedKey: () => added.shift()?.key ?? 'none',
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

  #next(): SessionManager {
    return this.#managers[this.#opened++ % this.#managers.length]!
  }

  #managerOn(store: RecordedStore['quiet']): SessionManager {
    return createSessionManager({
      store,
      secret: this.world.secrets.map(secretOf),
      maxSessionsPerUser: CAP,
      idleTimeout: IDLE,
      absoluteTimeout: ABSOLUTE,
      now: () => this.#clock.ms,
      onEvent: ({ type }) => this.#events.push(type),
    })
  }
}

function secretOf(name: string): string {
  return `${name}: ${secret}`
}

/** One failure of a write, of which whoever signs in or out is to notice nothing (E4, E9). */
function ofWrites(fault: Fault | undefined): Fault | undefined {
  return typeof fault === 'object' ? { ...fault, times: 1, isOfWrites: true } : fault
}

function isOfWrites(fault: Fault | undefined): boolean {
  return typeof fault === 'object' && fault.isOfWrites === true
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
