import { Draft, type Unsaved } from '../draft/draft.ts'
import { regenerates, setsTimeouts, signInOf, timeoutsAfter, type Journal } from '../draft/journal.ts'
import { SessionDataError, StoreUnavailableError } from '../errors.ts'
import { hasCookie, type CookieChange } from '../http/cookie.ts'
import type { Services } from '../record/record-io.ts'
import { loadSession, type Loaded } from './load.ts'
import type { Opening } from './opening.ts'
import { Save } from './save.ts'

/** What a `save()` rejected with, and what was unsaved then. */
interface Refusal {
  error: unknown
  save: Save
  unsaved: Unsaved
}

/** One request's session between its first touch and the commit: what handler and manager both work on. */
export class SessionState {
  readonly services: Services
  /** `destroy` was called: reads are empty, and what is written since begins a new session. */
  isDestroying = false
  loaded: Loaded | undefined
  cookie: CookieChange | undefined
  readonly #opening: Opening
  readonly #request: unknown
  #loading: Promise<void> | undefined
  /** What the handler waits for the load with; nothing where only the commit does. */
  #awaited: 'read' | 'write' | undefined
  /** What the handler's last read, update or take met; `lostWrite` when it was one of the latter. */
  #readError: { error: unknown; lostWrite: boolean } | undefined
  #refusal: Refusal | undefined
  #draft: Draft | undefined
  #unfinished: Set<Promise<unknown>> | undefined

  constructor(opening: Opening, request: unknown) {
    this.services = opening.services
    this.#opening = opening
    this.#request = request
  }

  canSetHeaders(): boolean {
    return this.#opening.canSetHeaders(this.#request)
  }

  get draft(): Draft {
    return (this.#draft ??= new Draft())
  }

  /** Whether a commit has something to do, or to report. */
  get needsCommit(): boolean {
    return this.draft.hasSteps || (this.#readError?.lostWrite ?? false)
  }

  /** Whether a commit has nothing to wait for, as of most requests: they read. */
  get isIdle(): boolean {
    if (this.isDestroying || this.#unfinished?.size || !this.draft.isOnlyRead) return false
    try {
      this.draft.settle()
      return !this.needsCommit
    } catch {
      // For the commit to say.
      return false
    }
  }

  /** For the handler: loads once, however many ask; a load that failed may be tried again. Nothing once it is loaded. */
  load(isWrite: boolean): Promise<void> | undefined {
    if (this.loaded || this.isDestroying) return undefined
    this.#awaited = isWrite ? 'write' : (this.#awaited ?? 'read')
    return this.#loadOnce()
  }

  /** Of the session in its user's list, as far as it is listed. */
  async entryId(): Promise<string | undefined> {
    await this.load(false)
    return this.loaded?.state === 'live' ? this.loaded.session.record.signedIn?.entryId : undefined
  }

  /** When it runs out, in milliseconds since the epoch, as far as this request knows; `undefined` where there is no session. */
  expiresAt(): number | undefined {
    const { steps } = this.draft
    const { now, idleTimeout: managers } = this.services
    const session = this.loaded?.state === 'live' && !this.isDestroying ? this.loaded.session : undefined
    const before = session?.record ?? signInOf(steps)?.timeouts
    if (!before) return undefined
    const { deadline, idleTimeout = managers } = timeoutsAfter(steps, before)
    // These will be written in any case, which restarts the time to live.
    const renewedAt = regenerates(steps) || setsTimeouts(steps) ? now() : session?.renewedAt
    if (idleTimeout === false || renewedAt === undefined) return deadline
    return Math.min(deadline, renewedAt + idleTimeout * 1000)
  }

  /** For the commit: what was written over a session that could not be read is not saved (A2). */
  loadToCommit(): Promise<void> | undefined {
    if (this.#readError && !this.isDestroying) throw this.#readError.error
    return this.loaded ? undefined : this.#loadOnce()
  }

  /** Counts work that the handler may not wait for: the commit does, and it never becomes an unhandled rejection. */
  track<Result>(work: Promise<Result>): Promise<Result> {
    const unfinished = (this.#unfinished ??= new Set())
    unfinished.add(work)
    const forget = () => unfinished.delete(work)
    work.then(forget, forget)
    return work
  }

  /** Waits for tracked work, if there is any; rejects with the first failure that nobody can have seen yet. */
  finishTracked(): Promise<void> | undefined {
    if (!this.#unfinished?.size) return undefined
    return Promise.allSettled(this.#unfinished).then((results) => {
      for (const result of results) if (result.status === 'rejected') throw result.reason
    })
  }

  /** Runs a `save()`, whose failure is the handler's to answer once he has seen it. */
  save(commit: () => Promise<void>): Promise<void> {
    const work = async () => {
      try {
        await this.finishTracked()
        await commit()
        this.#refusal = undefined
      } catch (error) {
        this.#refusal = { error, save, unsaved: this.draft.unsaved() }
        throw error
      }
    }
    const save = Save.of(this.track(work()))
    return save
  }

  /** Whether the handler has seen a `save()` fail for an outage and changed nothing since, so that its answer stands. */
  isOutageAnswered(): boolean {
    const refusal = this.#refusal
    if (!refusal?.save.isSeen || !(refusal.error instanceof StoreUnavailableError)) return false
    return !this.isDestroying && this.draft.isStill(refusal.unsaved)
  }

  /** Forgets what the handler has seen refused as data; says whether there was anything. */
  dropRefusedData(): boolean {
    const refusal = this.#refusal
    if (!refusal?.save.isSeen || !(refusal.error instanceof SessionDataError)) return false
    this.#refusal = undefined
    this.draft.drop(refusal.unsaved)
    return true
  }

  /** What was begun before is waited for, but its failure no longer matters. */
  destroy(): void {
    const moot = [...(this.#unfinished ?? [])]
    this.#unfinished?.clear()
    for (const work of moot) void this.track(work.catch(() => {}))
    this.discard()
    this.draft.rebase()
    this.isDestroying = true
  }

  /** Forgets what was not committed; says whether there was anything. */
  discard(): boolean {
    const hasLostWrite = this.#readError?.lostWrite ?? false
    this.#readError = undefined
    return this.draft.discard() || hasLostWrite
  }

  /** The session behind the cookie is ended, by this request's wish. */
  concludeDestroy(): void {
    this.isDestroying = false
    this.loaded = { state: 'none' }
    const header = this.#opening.cookieHeader(this.#request) ?? ''
    this.cookie = hasCookie(header, this.services.cookieName) ? 'clear' : undefined
  }

  /** The session was ended by somebody else: the journal is not written to it. */
  loseSession(journal: Journal): void {
    this.draft.lost(journal)
    if (this.loaded?.state === 'live') this.loaded = { state: 'ended', tombstones: [] }
    // Of an earlier save: it must not overwrite what a sign-in set meanwhile.
    if (this.cookie !== 'clear') this.cookie = undefined
  }

  #loadOnce(): Promise<void> {
    return (this.#loading ??= this.#load())
  }

  async #load(): Promise<void> {
    try {
      this.loaded = await loadSession(this.#opening, this.#request)
    } catch (error) {
      if (this.#awaited === 'write') this.#refusal = undefined
      const lostWrite = this.#awaited === 'write' || (this.#readError?.lostWrite ?? false)
      if (this.#awaited) this.#readError = { error, lostWrite }
      throw error
    } finally {
      this.#loading = undefined
      this.#awaited = undefined
    }
    this.#readError = undefined
    if (this.isDestroying) return
    const record = this.loaded.state === 'live' ? this.loaded.session.record : undefined
    this.draft.rebase(record?.texts, record?.signedIn?.userId)
  }
}
