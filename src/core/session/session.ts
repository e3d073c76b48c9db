import {
  checkAbsoluteTimeout,
  checkBoolean,
  checkOwnIdleTimeout,
  checkLabel,
  checkNames,
  checkUserId,
  kindOf,
  wrong,
} from '../check.ts'
import { SESSION } from '../brand.ts'
import { SessionStateError } from '../errors.ts'
import { refuseCallback, refuseProperty, refuseRegenerate, refuseUserId } from '../old-habits.ts'
import type { Json } from '../draft/json.ts'
import { commitSession } from './commit.ts'
import type { Timeouts } from '../draft/journal.ts'
import type { Opening } from './opening.ts'
import { SessionState } from './session-state.ts'
import type { Begun } from '../draft/draft.ts'

/** The shape of a session's data, key by key; what JSON cannot hold is a compile error. */
export type SessionData<Data> = { [Key in keyof Data]: Json<Data[Key]> }

/** Overrides of the manager's timeouts for one session ("remember me"). */
export interface SessionTimeouts {
  /** Seconds without a request, not fewer than the manager's; `false` for none. */
  idle?: number | false | undefined
  /** Seconds from this call, at most 34 560 000 (400 days). */
  absolute?: number | undefined
  /** Whether the browser keeps the cookie when it closes. */
  persistent?: boolean | undefined
}

/** What {@link Session.signIn} takes besides the user; timeouts as in {@link SessionTimeouts}, default the manager's. */
export interface SignInOptions<Key extends string = any> extends SessionTimeouts {
  /** For the list of the user's sessions: "Firefox on Linux". At most 64 characters. */
  label?: string | undefined
  /** Keys that come along when another user's session is signed in over. Default: none. */
  keep?: readonly Key[] | undefined
}

/** @internal The manager's ways into a session: by what it was opened. */
export let openingOf: (session: Session<any>) => Opening
/** @internal Touches it. */
export let stateOf: (session: Session<any>) => SessionState
/** @internal What is to be committed: nothing where nobody has touched it, and where it is committed. */
export let pendingOf: (session: Session<any>) => SessionState | undefined
/** @internal From here on it takes no writes. */
export let close: (session: Session<any>) => void

/**
 * A request's session. Reads wait for the one load; writes never wait, they are committed after the handler returned
 * and before any byte leaves.
 *
 * Every write throws `SessionStateError` after the commit. Reads reject with `StoreUnavailableError` when the store
 * cannot be asked; they never take an outage for an empty session.
 */
export class Session<Data extends SessionData<Data> = Record<string, any>> {
  static {
    openingOf = (session) => session.#opening
    stateOf = (session) => session.#touched()
    pendingOf = (session) => (session.#isCommitted ? undefined : session.#state)
    close = (session) => {
      session.#isCommitted = true
    }
    // Above the methods, which are found before it: a proxy around each session would cost every call ten times as much.
    Object.setPrototypeOf(
      this.prototype,
      new Proxy({ regenerate: refuseRegenerate }, { set: refuseProperty }),
    )
    // A method may be written over, as spies do; this one by whoever comes from express-session, to sign in.
    const { userId } = this.prototype
    Object.defineProperty(this.prototype, 'userId', { get: () => userId, set: refuseUserId })
  }

  readonly #opening: Opening
  readonly #request: unknown
  /** None until the first touch: most requests leave their session alone. */
  #state: SessionState | undefined
  #isCommitted = false

  /** @internal The name of its cookie. */
  get [SESSION](): string {
    return this.#opening.services.cookieName
  }

  /** @internal Sessions come from `manager.open`. */
  constructor(opening: Opening, request: unknown) {
    this.#opening = opening
    this.#request = request
  }

  /** The key's value; this request's own unsaved writes are seen. Change what is inside it and that is saved, too. */
  async get<Key extends keyof Data & string>(key: Key): Promise<Data[Key] | undefined> {
    const state = this.#touched()
    const loading = state.draft.holds(key) ? undefined : state.load(false)
    if (loading) await loading
    return state.draft.read(key) as Data[Key] | undefined
  }

  /** Whether the key has a value. */
  async has(key: keyof Data & string): Promise<boolean> {
    const state = this.#touched()
    if (!state.draft.holds(key)) await state.load(false)
    return state.draft.has(key)
  }

  /** Everything, as a fresh plain object; changes inside its values count like those to what `get` returns. */
  async entries(): Promise<Partial<Data>> {
    const { draft } = await this.#loaded()
    return Object.fromEntries(draft.keys().map((key) => [key, draft.read(key)])) as Partial<Data>
  }

  /** Keeps the value, not a copy: what counts is what it is at the commit. `undefined` deletes. */
  set<Key extends keyof Data & string>(key: Key, value: Data[Key] | undefined): void {
    this.#writableAt(key).draft.write(key, value)
  }

  /** Removes the key. */
  delete(key: keyof Data & string): void {
    this.#writableAt(key).draft.write(key, undefined)
  }

  /** Removes every key, those that other requests add until the commit included. The session goes on. */
  clear(): void {
    this.#writable().draft.clear()
  }

  /**
   * Atomic read-modify-write. `fn` gets the current value and gives the new one, which is returned. It runs again, on the
   * newest value, if another request wrote the key first; so it must be pure and synchronous, and what was returned is
   * final only after `save()`. Counts from the call, awaited or not; if `fn` throws at once, it does not count.
   */
  update<Key extends keyof Data & string>(
    key: Key,
    fn: (current: Data[Key] | undefined) => Data[Key],
  ): Promise<Data[Key]> {
    const state = this.#writableAt(key)
    return afterLoad(state, () => state.draft.update(key, fn)) as Promise<Data[Key]>
  }

  /**
   * Reads and deletes: a flash message is `set`, then `take`n. `await take(key); await save()` spends a value exactly
   * once: the `save` of every other request that took it rejects with `SessionConflictError`.
   */
  take<Key extends keyof Data & string>(key: Key): Promise<Data[Key] | undefined> {
    const state = this.#writableAt(key)
    return afterLoad(state, () => state.draft.take(key)) as Promise<Data[Key] | undefined>
  }

  /** Whether a live record stands behind this request's cookie. */
  async exists(): Promise<boolean> {
    const { loaded, isDestroying } = await this.#loaded()
    return loaded?.state === 'live' && !isDestroying
  }

  /**
   * Signs a user in, whose credentials were checked before. Makes a session where there is none. It does all that a
   * sign-in owes:
   *
   * - a new token; the old one is dead at once (ASVS 7.2.4)
   * - both timeouts counted anew, with none left over from an earlier sign-in
   * - the session listed as one of the user's, so that it can be seen and ended (ASVS 7.5.2); the user id is stored sealed
   * - no data of another user's: an anonymous session and one of the same user keep theirs, another user's only `keep`
   *
   * Throws `TypeError` for a user id that is no string or empty, `RangeError` for a label of more than 64 characters, and
   * for timeouts as `setTimeouts` does. Rejects the commit with `SessionEndedError` when the session ended meanwhile; the
   * same sign-in done twice at once gives one session to both.
   */
  signIn(userId: string, options: SignInOptions<keyof Data & string> = {}): void {
    checkUserId(userId)
    checkNames('signIn', options, ['label', 'keep', 'idle', 'absolute', 'persistent'])
    const { label, keep = [] } = options
    checkLabel(label)
    if (!Array.isArray(keep) || keep.some((key) => typeof key !== 'string')) {
      throw wrong('keep', 'a list of keys', keep)
    }
    const { draft, services } = this.#writable()
    const deadline = services.now() + services.absoluteTimeout * 1000
    const timeouts = { deadline, idleTimeout: undefined, persistent: undefined, ...this.#timeouts(options) }
    draft.signIn({ type: 'sign-in', userId, label, keep: new Set(keep), timeouts })
  }

  /** Who signed in; `undefined` for an anonymous session, and for none. */
  async userId(): Promise<string | undefined> {
    const state = this.#touched()
    if (state.draft.userId === undefined) await state.load(false)
    return state.draft.userId
  }

  /**
   * When the session ends unless it is used again: the earlier of both timeouts, in milliseconds since the epoch, to the
   * second. `undefined` without a live session. For a request that `renew` says is no use it is the absolute timeout alone,
   * since nobody can say when the session was used last.
   *
   * A `signIn`, `setTimeouts` or `regenerateId` of this request counts at once. Other changes do once they are saved: a
   * write restarts the idle timeout, so until then the session will end no earlier than this says.
   */
  async expiresAt(): Promise<number | undefined> {
    return (await this.#loaded()).expiresAt()
  }

  /**
   * Gives the session a new token and keeps its data; the old token is dead at once. Call it on any change of privilege
   * that is no sign-in (ASVS 7.2.4). Rejects the commit with `SessionEndedError` when the session ended meanwhile,
   * and with `SessionConflictError` when another request regenerated it first.
   */
  regenerateId(): void {
    this.#writable().draft.add({ type: 'regenerate' })
  }

  /**
   * Ends the session everywhere its token is used, and clears the cookie (ASVS 7.4.1). From here on it reads empty; what
   * is set later begins a new session. If the store cannot be reached the commit rejects and the cookie stays, so that
   * signing out can be repeated.
   */
  destroy(): void {
    refuseCallback('destroy', arguments[0])
    this.#writable().destroy()
  }

  /**
   * Timeouts of this session's own, kept in its record until the next `signIn`; the cookie is sent again.
   *
   * Throws `TypeError` or `RangeError` for anything but whole seconds from 1 to 34 560 000 (400 days), `false` for
   * `idle`, and a boolean for `persistent`; `RangeError` for an `idle` shorter than the manager's, which every load
   * restarts: what is to be stricter takes a manager of its own.
   */
  setTimeouts(timeouts: SessionTimeouts): void {
    checkNames('setTimeouts', timeouts, ['idle', 'absolute', 'persistent'])
    const { draft } = this.#writable()
    draft.add({ type: 'timeouts', timeouts: this.#timeouts(timeouts) })
  }

  /**
   * Commits now; may be called repeatedly, and writes go on after it. Where the commit after the handler would only
   * report, it throws: `SessionEndedError` when the session ended meanwhile, `SessionConflictError` when a taken value
   * was taken by another request.
   */
  save(): Promise<void> {
    refuseCallback('save', arguments[0])
    const state = this.#writable()
    return state.save(() => commitSession(state, true))
  }

  #timeouts({ idle, absolute, persistent }: SessionTimeouts): Partial<Timeouts> {
    const { now, idleTimeout } = this.#opening.services
    if (idle !== undefined) checkOwnIdleTimeout(idle, idleTimeout)
    if (absolute !== undefined) checkAbsoluteTimeout('absolute', absolute)
    checkBoolean('persistent', persistent, false)
    return {
      ...(idle !== undefined && { idleTimeout: idle }),
      ...(absolute !== undefined && { deadline: now() + absolute * 1000 }),
      ...(persistent !== undefined && { persistent }),
    }
  }

  #touched(): SessionState {
    return (this.#state ??= new SessionState(this.#opening, this.#request))
  }

  async #loaded(): Promise<SessionState> {
    const state = this.#touched()
    await state.load(false)
    return state
  }

  #writable(): SessionState {
    if (!this.#isCommitted) return this.#touched()
    throw new SessionStateError(
      'ERR_SESSION_COMMITTED',
      'the response was committed; open a second session with manager.open to write later',
    )
  }

  /** A key that is not a string would not be found again. */
  #writableAt(key: unknown): SessionState {
    if (typeof key !== 'string') throw new TypeError(`key: expected a string, got ${kindOf(key)}`)
    return this.#writable()
  }
}

/** `begin` records the intent at once; it is carried out when the session is loaded. */
function afterLoad(state: SessionState, begin: () => Begun): Promise<unknown> {
  const work = async () => {
    const begun = begin()
    try {
      await state.load(true)
    } catch (error) {
      begun.cancel()
      throw error
    }
    return begun.finish()
  }
  return state.track(work())
}
