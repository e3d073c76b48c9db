import { brandOf, MANAGER, PROTOCOL, SESSION } from './brand.ts'
import { commitSession } from './session/commit.ts'
import { Keyring } from './crypto/keyring.ts'
import { SessionStateError } from './errors.ts'
import { listSessions, revoke, type UserSession } from './session/users.ts'
import { checkNames, checkUserId, kindOf, wrong } from './check.ts'
import { checkOptions, type CheckedOptions, type SessionOptions } from './options.ts'
import { isEntryId } from './record/mark.ts'
import { MarkChanges } from './record/mark-changes.ts'
import { OpenedRecords } from './record/opened-records.ts'
import { RecordIO, type Services } from './record/record-io.ts'
import { Turns } from './record/turns.ts'
import { addCacheHeaders, takeBackAnswer } from './http/response-headers.ts'
import { serializeCookie } from './http/cookie.ts'
import { isAnswered, isInsecure, type CommitResponse } from './http/commit-response.ts'
import { close, openingOf, pendingOf, Session, stateOf, type SessionData } from './session/session.ts'
import { isFirstToSay, isWarning, warn, warnOfStore } from './warnings.ts'
import type { CookieHeader, Opening, OpenOptions } from './session/opening.ts'
import type { SessionState } from './session/session-state.ts'

/**
 * Opens the session of a request and commits it into the response. One manager may serve several adapters: they then
 * share their sign-ins.
 */
export class SessionManager<Data extends SessionData<Data> = Record<string, any>> {
  readonly #services: Services & CheckedOptions
  readonly #open: (given: Given) => Session<Data>
  /** Per manager: each has an `onEvent` of its own to tell. */
  #hasWarned = false
  #hasOpened = false

  /** @internal */
  get [MANAGER](): number {
    return PROTOCOL
  }

  /** @internal Use {@link createSessionManager}. */
  constructor(options: SessionOptions) {
    const checked = checkOptions(options)
    const { store, onEvent, now, cookie, secrets } = checked
    const emit: Services['emit'] = (type, details) => {
      if (onEvent) safely(() => onEvent({ type, at: now(), ...details }))
      else if (isWarning(type)) safely(() => warn({ type, at: now(), ...details }))
    }
    this.#services = {
      ...checked,
      cookieName: cookie.name,
      keyring: new Keyring(cookie.name, secrets),
      opened: new OpenedRecords(),
      turns: new Turns(),
      markChanges: new MarkChanges(),
      emit,
    }
    this.#open = this.opener(GIVEN)
    if (onEvent || isFirstToSay(store))
      safely(() => store.watch?.(({ type, ...details }) => emit(type, details)))
  }

  /**
   * The session of a request with this Cookie header, for where no middleware is. No I/O and no parsing until it is
   * touched.
   */
  open(cookieHeader: CookieHeader, options?: OpenOptions): Session<Data> {
    const { canSetHeaders, renew } = options ?? {}
    return this.#open({ cookieHeader, canSetHeaders, renew })
  }

  /** @internal As `open`, for an adapter: what is asked of all its requests is said once. */
  opener<Request>(reader: Omit<Opening<Request>, 'services'>): (request: Request) => Session<Data> {
    const opening = { ...reader, services: this.#services }
    return (request) => {
      if (!this.#hasOpened) this.#openFirst()
      return new Session<Data>(opening, request)
    }
  }

  /**
   * Whether the session was opened by this manager.
   *
   * Throws `SessionStateError` (`ERR_SESSION_MOUNTED_TWICE`) for that of another manager with the same cookie name: two
   * on one request would hand out that cookie twice.
   */
  joins(session: unknown): session is Session<Data> {
    if (session instanceof Session && openingOf(session).services === this.#services) return true
    const cookieName = brandOf(session, SESSION)
    if (cookieName !== this.#services.cookieName) return false
    throw new SessionStateError(
      'ERR_SESSION_MOUNTED_TWICE',
      `another manager with the cookie name ${cookieName} already serves this request: share one manager, or give this one a cookie name and a property of its own, session({ cookie: { name: '__Host-admin' } }, { as: 'admin' })`,
    )
  }

  /**
   * Saves the session and adds what the response must say. Call it after the handler returned and before any byte leaves.
   *
   * - `describe` is called at once, and only when there is something to do: not for a session that was not touched, nor for
   *   one that was committed.
   * - `undefined` is returned where there is nothing to wait for, as after reads: all is done by then.
   * - When the handler threw or answered with 500 or above, its changes are dropped and only a `destroy()` is carried out.
   *   An error with a `status` below 500 counts as an answer.
   *
   * Rejects when the save fails, unless the handler failed: then its own error wins, and events tell the rest. On a
   * rejection nothing of the handler's answer is left in the headers, as far as they have `delete`. Throws `TypeError` for
   * anything but a function, and what `describe` throws: then the session stays open.
   */
  commit(session: Session<Data>, describe: () => CommitResponse): Promise<void> | undefined
  /** @internal With what `describe` is called with: so that a request that leaves its session alone costs no closure. */
  commit<Answer>(
    session: Session<Data>,
    describe: (answer: Answer) => CommitResponse,
    answer: Answer,
  ): Promise<void> | undefined
  commit(
    session: Session<Data>,
    describe: (answer?: unknown) => CommitResponse,
    answer?: unknown,
  ): Promise<void> | undefined {
    if (typeof describe !== 'function')
      throw wrong('commit', 'a function, commit(session, () => ({ status, headers }))', describe)
    const state = pendingOf(session)
    const response = state && describe(answer)
    close(session)
    if (!response) return undefined
    if (!state.isIdle) return this.#commit(state, response)
    try {
      this.#respond(state, response, false)
      return undefined
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * @internal Drops what was not saved, and tells (`dropped`): for a request that will never be answered, once its socket closed.
   * A `destroy()` that was not saved is told as well.
   */
  async drop(session: Session<Data>): Promise<void> {
    const state = pendingOf(session)
    if (!state) return
    await state.finishTracked()?.catch(() => {})
    if (state.discard() || state.isDestroying) this.#services.emit('dropped')
  }

  /**
   * A user's sessions (ASVS 7.5.2), the one used last first. `current` says which is this request's own.
   *
   * Rejects with `TypeError` for a user id that is no string or empty, `StoreUnavailableError` when the store cannot be asked.
   */
  async listSessions(userId: string, options: { current?: Session<Data> } = {}): Promise<UserSession[]> {
    checkUserId(userId)
    checkNames('listSessions', options, ['current'])
    const current = await this.#entryOf('current', options.current)
    return listSessions(new RecordIO(this.#services), userId, current)
  }

  /**
   * Ends one session of a user, by the `id` in his list (ASVS 7.5.2): its next load finds nothing. One that is not listed
   * is a success, so it may be repeated.
   *
   * Rejects with `TypeError` as `listSessions`, `StoreUnavailableError` or `SessionConflictError` when it may not have ended.
   */
  async revoke(userId: string, id: string): Promise<void> {
    checkUserId(userId)
    if (!isEntryId(id)) {
      // Not repeated: the two may have been mixed up.
      throw new TypeError(`id: expected one that listSessions gave, after the user id; got ${kindOf(id)}`)
    }
    await revoke(new RecordIO(this.#services), userId, (each) => each === id)
  }

  /**
   * Ends every session of a user but `except` (ASVS 7.4.2, 7.4.3), by the next time each is loaded; all of them where `except`
   * is nobody's or another user's. A sign-in afterwards begins anew. May be repeated.
   *
   * Rejects with `TypeError` as `listSessions`, `StoreUnavailableError` or `SessionConflictError` when some may not have ended.
   */
  async revokeAll(userId: string, options: { except?: Session<Data> } = {}): Promise<void> {
    checkUserId(userId)
    checkNames('revokeAll', options, ['except'])
    const except = await this.#entryOf('except', options.except)
    await revoke(new RecordIO(this.#services), userId, (id) => id !== except)
  }

  /** Closes the store, where it can be closed; operations in flight reject. */
  async close(): Promise<void> {
    await this.#services.store.close?.()
  }

  /** Not where the manager is made: a build may do that, too. */
  #openFirst(): void {
    this.#hasOpened = true
    const { onEvent, store } = this.#services
    if (!onEvent) safely(() => warnOfStore(store))
  }

  /** The entry of a request's session in its user's list. */
  async #entryOf(option: string, session: Session<Data> | undefined): Promise<string | undefined> {
    if (session === undefined) return undefined
    if (!this.joins(session)) throw wrong(option, 'a session that this manager opened', session)
    return stateOf(session).entryId()
  }

  async #commit(state: SessionState, response: CommitResponse): Promise<void> {
    const answered = isAnswered(response)
    let failure: { reason: unknown } | undefined
    try {
      const unfinished = state.finishTracked()
      if (unfinished) await unfinished
    } catch (reason) {
      failure = { reason }
    }
    const isDropped = !answered || failure !== undefined || state.isOutageAnswered()
    if (isDropped && state.discard()) this.#services.emit('dropped')
    try {
      await commitSession(state, false)
    } catch (reason) {
      failure = { reason }
    }
    if (!answered) failure = undefined
    this.#respond(state, response, failure !== undefined)
    if (failure) throw failure.reason
  }

  #respond(state: SessionState, response: CommitResponse, isRejected: boolean): void {
    const { headers } = response
    const { cookie, cacheHeaders, emit } = this.#services
    const change = state.cookie
    if (!state.canSetHeaders()) {
      if (change) emit('cookie-lost')
      return
    }
    if (isRejected) takeBackAnswer(headers)
    // Appended: other cookies of the response survive (D4).
    if (change) headers.append('Set-Cookie', serializeCookie(cookie, change))
    const mustNotBeStored = change !== undefined || isRejected
    if (cacheHeaders && addCacheHeaders(headers, mustNotBeStored)) emit('cache-overridden')
    if (!change || this.#hasWarned || !cookie.secure || !isInsecure(response)) return
    this.#hasWarned = true
    emit('insecure-cookie')
  }
}

/**
 * Makes a session manager; given one, of this or another copy of the package, returns it, so that every adapter takes
 * either.
 *
 * Throws `TypeError` or `RangeError` for wrong options, naming the option, what was expected and what came.
 *
 * @example
 * const manager = createSessionManager<{ cart: string[] }>({
 *   store: new MemcachedStore('memcached://127.0.0.1:11200'),
 *   secret: process.env.SESSION_SECRET,
 * })
 */
export function createSessionManager<Data extends SessionData<Data> = Record<string, any>>(
  options: SessionOptions | SessionManager<Data> = {},
): SessionManager<Data> {
  const protocol = brandOf(options, MANAGER)
  if (protocol === undefined) return new SessionManager<Data>(options as SessionOptions)
  if (protocol === PROTOCOL) return options as SessionManager<Data>
  throw new TypeError(
    `options: expected a manager that speaks protocol ${PROTOCOL}, got one that speaks ${protocol}; two versions of holdfast are installed: install one`,
  )
}

type Given = OpenOptions & { cookieHeader: CookieHeader }

/** Of what `open` is given. */
const GIVEN: Omit<Opening<Given>, 'services'> = {
  cookieHeader: ({ cookieHeader }) => (typeof cookieHeader === 'function' ? cookieHeader() : cookieHeader),
  canSetHeaders: ({ canSetHeaders }) => canSetHeaders?.() ?? true,
  renew: ({ renew }) => renew?.(),
}

/** A logger that fails, now or later, must cost neither a session nor the process. */
function safely(tell: () => unknown): void {
  void new Promise((told) => told(tell())).catch(() => {})
}
