import {
  checkAbsoluteTimeout,
  checkBoolean,
  checkIdleTimeout,
  checkNames,
  checkSubject,
  kindOf,
  shownKey,
} from '../check.ts'
import { SESSION } from '../brand.ts'
import { SessionStateError } from '../errors.ts'
import type { Json } from '../draft/json.ts'
import { commitSession } from './commit.ts'
import type { SessionState } from './session-state.ts'
import type { Begun } from '../draft/draft.ts'

/** The shape of a session's data, key by key; what JSON cannot hold is a compile error. */
export type SessionData<Data> = { [Key in keyof Data]: Json<Data[Key]> }

/** Overrides of the manager's timeouts for one session ("remember me"). */
export interface SessionTimeouts {
  /** Seconds without a request; `false` for none. */
  idle?: number | false | undefined
  /** Seconds from this call, at most 34 560 000 (400 days). */
  absolute?: number | undefined
  /** Whether the browser keeps the cookie when it closes. */
  persistent?: boolean | undefined
}

/** @internal The manager's way into a session. */
export let stateOf: <Data extends SessionData<Data>>(session: Session<Data>) => SessionState

/**
 * A request's session. Reads wait for the one load; writes never wait, they are committed after the handler returned
 * and before any byte leaves.
 *
 * Every write throws `SessionStateError` after the commit. Reads reject with `StoreUnavailableError` when the store
 * cannot be asked; they never take an outage for an empty session.
 */
export class Session<Data extends SessionData<Data> = Record<string, any>> {
  static {
    stateOf = (session) => session.#state
    // Above the methods, which are found before it: a proxy around each session would cost every call ten times as much.
    Object.setPrototypeOf(this.prototype, new Proxy({}, { set: refuseProperty }))
  }

  readonly #state: SessionState

  /** @internal The name of its cookie. */
  get [SESSION](): string {
    return this.#state.services.cookieName
  }

  /** @internal Sessions come from `manager.open`. */
  constructor(state: SessionState) {
    this.#state = state
  }

  /** The key's value; this request's own unsaved writes are seen. Change what is inside it and that is saved, too. */
  async get<Key extends keyof Data & string>(key: Key): Promise<Data[Key] | undefined> {
    const loading = this.#readable(key)
    if (loading) await loading
    return this.#state.draft.read(key) as Data[Key] | undefined
  }

  /** Whether the key has a value. */
  async has(key: keyof Data & string): Promise<boolean> {
    await this.#readable(key)
    return this.#state.draft.has(key)
  }

  /** Everything, as a fresh plain object; changes inside its values count like those to what `get` returns. */
  async entries(): Promise<Partial<Data>> {
    await this.#readable()
    const { draft } = this.#state
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
   * Atomic read-modify-write. `fn` gets the current value, runs now for the returned one, and runs again on the newest
   * value if another request wrote the key first; so it must be pure and synchronous. The returned value is final
   * only after `save()`. Counts from the call, awaited or not; if `fn` throws now, it does not count.
   */
  update<Key extends keyof Data & string>(
    key: Key,
    fn: (current: Data[Key] | undefined) => Data[Key],
  ): Promise<Data[Key]> {
    const { draft } = this.#writableAt(key)
    return this.#afterLoad(() => draft.update(key, fn)) as Promise<Data[Key]>
  }

  /**
   * Reads and deletes: a flash message is `set`, then `take`n. `await take(key); await save()` spends a value exactly
   * once: the `save` of every other request that took it rejects with `SessionConflictError`.
   */
  take<Key extends keyof Data & string>(key: Key): Promise<Data[Key] | undefined> {
    const { draft } = this.#writableAt(key)
    return this.#afterLoad(() => draft.take(key)) as Promise<Data[Key] | undefined>
  }

  /** Whether a live record stands behind this request's cookie. */
  async exists(): Promise<boolean> {
    await this.#readable()
    return this.#state.loaded?.state === 'live' && !this.#state.isDestroying
  }

  /**
   * Gives the session a new token and keeps its data; the old token is dead at once. Call it on sign-in and on any
   * change of privilege (ASVS 7.2.4). Rejects the commit with `SessionEndedError` when the session ended meanwhile,
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
    this.#writable().destroy()
  }

  /**
   * Timeouts of this session's own, kept in its record; the cookie is sent again.
   *
   * Throws `TypeError` or `RangeError` for anything but whole seconds from 1 to 34 560 000 (400 days), `false` for
   * `idle`, and a boolean for `persistent`.
   */
  setTimeouts(timeouts: SessionTimeouts): void {
    checkNames('setTimeouts', timeouts, ['idle', 'absolute', 'persistent'])
    const { idle, absolute } = timeouts
    const persistent = checkBoolean('persistent', timeouts.persistent, undefined)
    if (idle !== undefined) checkIdleTimeout('idle', idle)
    if (absolute !== undefined) checkAbsoluteTimeout('absolute', absolute)
    const { draft, services } = this.#writable()
    const own = {
      ...(idle !== undefined && { idleTimeout: idle }),
      ...(absolute !== undefined && { deadline: services.now() + absolute * 1000 }),
      ...(persistent !== undefined && { persistent }),
    }
    draft.add({ type: 'timeouts', timeouts: own })
  }

  /**
   * Ties the session to a user, so that `manager.revokeAll(id)` ends it with all others of that user (ASVS 7.4.2). Kept
   * through `regenerateId`; costs one more round trip a load. It makes no session by itself: that takes data.
   *
   * Throws `TypeError` for anything but a string that is not empty.
   */
  setSubject(id: string): void {
    checkSubject(id)
    this.#writable().draft.add({ type: 'user', id })
  }

  /**
   * Commits now; may be called repeatedly, and writes go on after it. Where the commit after the handler would only
   * report, it throws: `SessionEndedError` when the session ended meanwhile, `SessionConflictError` when a taken value
   * was taken by another request.
   */
  save(): Promise<void> {
    const state = this.#writable()
    return state.save(() => commitSession(state, true))
  }

  #readable(key?: string): Promise<void> | undefined {
    this.#state.isTouched = true
    return key !== undefined && this.#state.draft.holds(key) ? undefined : this.#state.load(false)
  }

  #writable(): SessionState {
    const state = this.#state
    if (state.isCommitted) {
      throw new SessionStateError(
        'ERR_SESSION_COMMITTED',
        'the response was committed; open a second session with manager.open to write later',
      )
    }
    state.isTouched = true
    return state
  }

  /** A key that is not a string would not be found again. */
  #writableAt(key: unknown): SessionState {
    if (typeof key !== 'string') throw new TypeError(`key: expected a string, got ${kindOf(key)}`)
    return this.#writable()
  }

  /** `begin` records the intent at once; it is carried out when the session is loaded. */
  #afterLoad(begin: () => Begun): Promise<unknown> {
    const work = async () => {
      const begun = begin()
      await this.#state.load(true)?.catch((error: unknown) => {
        begun.cancel()
        throw error
      })
      return begun.finish()
    }
    return this.#state.track(work())
  }
}

/** What express-session would save, nothing here would (L2). */
function refuseProperty(_: object, property: string | symbol): never {
  const key = shownKey(String(property))
  throw new TypeError(`a session has no property ${key}: write session.set('${key}', value)`)
}
