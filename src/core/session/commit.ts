import type { Changes } from '../draft/changes.ts'
import { LONGEST_AGE_SECONDS } from '../check.ts'
import {
  SessionConflictError,
  SessionEndedError,
  StoreUnavailableError,
  type SessionError,
} from '../errors.ts'
import { after, type Eventually } from '../crypto/eventually.ts'
import { tieToSubject } from '../record/marks.ts'
import { RecordIO, type LiveSession, type Services } from '../record/record-io.ts'
import {
  generateWriteId,
  lastForgotten,
  nextRecord,
  secondsUntil,
  type LiveRecord,
  type Tombstone,
} from '../record/record.ts'
import type { SessionState } from './session-state.ts'
import { swap, type Swapped } from './swap.ts'
import { generateToken } from '../http/token.ts'
import type { Turns } from './turns.ts'

/** Kept back from the conflicts of a sign-out, for the write that ends them. */
const LAST_RESORT_MS = 250

/** What became of a batch: kept in a session, whose token the response is to carry or not, or lost with it. */
type Outcome =
  | { kept: LiveSession; isHandedOut: boolean; event?: 'created' | 'saved' | 'regenerated' }
  | { lost: 'dropped' | 'missing'; error?: SessionError }

/**
 * Writes what a request did to its session. `explicit` is a `save()`: it throws where the commit after the handler
 * would only report.
 */
export class Commit {
  readonly #turns: Turns<LiveSession>
  readonly #state: SessionState
  readonly #explicit: boolean
  readonly #io: RecordIO

  constructor(services: Services, turns: Turns<LiveSession>, state: SessionState, explicit: boolean) {
    this.#turns = turns
    this.#state = state
    this.#explicit = explicit
    this.#io = new RecordIO(services)
  }

  async run(): Promise<void> {
    const state = this.#state
    if (state.isDestroying) {
      await state.loadToCommit()
      await this.#endLoaded()
      state.concludeDestroy()
    }
    state.copy.settle()
    if (!state.needsCommit) return
    const loading = state.loadToCommit()
    if (loading) await loading
    // A destroy() meanwhile is for the next commit, and so is what was begun after it.
    for (let batch = state.copy.pending; batch && !state.isDestroying; batch = state.copy.pending) {
      try {
        const outcome = await this.#write(batch)
        if (!outcome) return
        this.#conclude(batch, outcome)
      } catch (error) {
        // Nothing of it can have been applied, so the handler may mend it.
        if (batch.unanswered === undefined) batch.sent = false
        throw error
      }
    }
  }

  #conclude(batch: Changes, outcome: Outcome): void {
    const state = this.#state
    if ('lost' in outcome) {
      this.#io.report(outcome.lost)
      state.loseSession(batch)
      if (outcome.error) throw outcome.error
      if (this.#explicit) throw new SessionEndedError('the session ended; nothing was written')
      return
    }
    const { kept, isHandedOut, event } = outcome
    state.loaded = { state: 'live', session: kept }
    state.copy.applied(batch, kept.record.texts)
    if (isHandedOut) state.cookie = { token: kept.keys.token, maxAge: this.#maxAgeOf(kept.record) }
    if (event) this.#io.report(event)
  }

  /** `undefined` while there is no data to make a session of. */
  #write(batch: Changes): Promise<Outcome | undefined> {
    const { loaded } = this.#state
    if (loaded?.state !== 'live') return this.#writeAnew(batch)
    const { session } = loaded
    return this.#turns.take(session.keys.storeKey, (handedOn) => {
      // What is begun from here on goes into the next batch: it would miss the mark.
      batch.sent = true
      if (batch.regenerate) return this.#regenerate(batch, session)
      return this.#save(batch, isNewer(handedOn, session) ? handedOn : session)
    })
  }

  async #writeAnew(batch: Changes): Promise<Outcome | undefined> {
    const state = this.#state
    if (batch.regenerate) {
      await this.#endLoaded()
      state.loaded = { state: 'none' }
    }
    return state.loaded?.state === 'none' ? this.#create(batch) : { lost: 'dropped' }
  }

  async #create(batch: Changes): Promise<Outcome | undefined> {
    const { now, absoluteTimeout } = this.#io.services
    const writtenAt = now()
    const deadline = writtenAt + absoluteTimeout * 1000
    const nothing = { deadline, generation: 0, writtenAt, writeIds: '', texts: new Map() }
    const { record } = this.#replay(batch, nothing)
    if (record.texts.size === 0) return undefined
    batch.sent = true
    await this.#tie(batch, nothing)
    const tied = batch.mark ? { ...record, subject: batch.mark } : record
    return { kept: await this.#add(tied), isHandedOut: true, event: 'created' }
  }

  #tie(batch: Changes, record: LiveRecord): Eventually<void> {
    if (batch.subject === undefined) return undefined
    const { subject, regenerate } = batch
    return tieToSubject(this.#io, subject, record, regenerate).then((mark) => {
      batch.mark = mark
    })
  }

  async #save(batch: Changes, loaded: LiveSession): Promise<Outcome> {
    const swapped = await swap(this.#io, loaded, batch, ({ record: newest }) => {
      this.#refuseToGuess(batch, newest)
      // Another request may have tied it to the same subject since, which was revoked since.
      return after(this.#tie(batch, newest), () => {
        const { record, changed } = this.#replay(batch, newest)
        return changed ? record : undefined
      })
    })
    switch (swapped.outcome) {
      case 'unchanged':
        return { kept: swapped.session, isHandedOut: false }
      case 'written':
        return { kept: swapped.session, isHandedOut: batch.timeouts !== undefined, event: 'saved' }
      case 'ended':
        return { lost: 'dropped' }
      case 'missing':
        return { lost: 'missing' }
      case 'exhausted':
        throw new SessionConflictError('other requests kept writing the same session; nothing was written')
    }
  }

  /**
   * Adds the session under a new token, then swaps a tombstone into the old key, which names the new one. What came
   * between is carried over first. The new token leaves the process only once the old one is dead.
   */
  async #regenerate(batch: Changes, loaded: LiveSession): Promise<Outcome> {
    await this.#tie(batch, loaded.record)
    const { record, changed } = this.#replay(batch, loaded.record)
    let successor = await this.#add(record)
    let carried = loaded.version
    const tombstone = this.#tombstone('regenerated', successor.keys.storeKey)
    let swapped: Swapped
    try {
      swapped = await swap(this.#io, loaded, { writeId: tombstone.writeId }, async (newest) => {
        if (newest.version !== carried) {
          successor = await this.#rewrite(successor, this.#replay(batch, newest.record).record)
        }
        carried = newest.version
        return tombstone
      })
    } catch (error) {
      this.#io.discard(successor.keys.storeKey)
      throw error
    }
    if (swapped.outcome === 'written') return { kept: successor, isHandedOut: true, event: 'regenerated' }
    this.#io.discard(successor.keys.storeKey)
    if (swapped.outcome === 'exhausted') {
      throw new SessionConflictError('other requests kept writing the same session; its token was kept')
    }
    if (swapped.outcome === 'ended' && swapped.tombstone.ended === 'regenerated') {
      if (!changed) return { lost: 'dropped' }
      const error = new SessionConflictError("another request regenerated the session's token first")
      return { lost: 'dropped', error }
    }
    const error = new SessionEndedError('the session ended while its token was being regenerated')
    return { lost: swapped.outcome === 'missing' ? 'missing' : 'dropped', error }
  }

  /** The record with the batch applied, and whether that changes anything. */
  #replay(batch: Changes, record: LiveRecord): { record: LiveRecord; changed: boolean } {
    const { texts, changed, spent } = batch.applyTo(record.texts)
    if (spent && this.#explicit) {
      throw new SessionConflictError(
        'another request took or changed a value that this one took; nothing was written',
      )
    }
    const now = this.#io.services.now()
    const next = nextRecord(record, batch.writeId, now, texts, batch.envelope)
    return { record: next, changed: changed || batch.changesEnvelope(record) }
  }

  #refuseToGuess(batch: Changes, record: LiveRecord): void {
    if (batch.unanswered === undefined || lastForgotten(record) <= batch.unanswered) return
    throw new SessionConflictError('the reply to a write was lost, and too many others wrote since to tell')
  }

  /** Nobody else knows the successor's key yet, so a swap that fails is an outage. */
  async #rewrite(successor: LiveSession, record: LiveRecord): Promise<LiveSession> {
    const { keys, version } = successor
    const reply = await this.#io.replace(keys, record, version)
    if (reply.outcome === 'replaced') return { keys, record, version: reply.version }
    throw new StoreUnavailableError('replace', new Error(`the new record is ${reply.outcome}`))
  }

  /** Adds under a fresh token; once more under another, which may live on another server, before giving up. */
  async #add(record: LiveRecord): Promise<LiveSession> {
    for (let attempt = 0; ; attempt++) {
      const keys = await this.#io.services.keyring.keysOf(generateToken())
      try {
        const version = await this.#io.add(keys, record)
        if (version !== undefined) return { keys, record, version }
        if (attempt > 0) throw new SessionConflictError('no free key was found for a new session')
      } catch (error) {
        if (attempt > 0 || !(error instanceof StoreUnavailableError)) throw error
      }
    }
  }

  async #endLoaded(): Promise<void> {
    const { loaded } = this.#state
    const sessions =
      loaded?.state === 'live' ? [loaded.session] : loaded?.state === 'duplicate' ? loaded.sessions : []
    for (const session of sessions) {
      await this.#turns.take(session.keys.storeKey, () => this.#end(session))
      this.#io.report('destroyed')
    }
  }

  /** Writers cannot starve a sign-out: after the last conflict the tombstone is written unconditionally. */
  async #end(session: LiveSession): Promise<void> {
    const tombstone = this.#tombstone('destroyed')
    const swapped = await swap(
      this.#io,
      session,
      { writeId: tombstone.writeId },
      () => tombstone,
      LAST_RESORT_MS,
    )
    let end = swapped.outcome === 'ended' ? swapped.tombstone : undefined
    if (swapped.outcome === 'exhausted') {
      // What it lost to last may have been a regenerateId.
      const found = await this.#io.read(session.keys, this.#io.ttlOf(session.record))
      if (!found) return
      if (!('ended' in found.record)) return this.#setTwice(session, tombstone)
      end = found.record
    }
    // This request held the session live, so the end it asked for is meant for what became of it too.
    if (end?.successor !== undefined) await this.#io.delete(end.successor)
  }

  /** A tombstone does no harm when it is written twice. */
  async #setTwice(session: LiveSession, tombstone: Tombstone): Promise<void> {
    try {
      await this.#io.set(session.keys, tombstone)
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
      await this.#io.set(session.keys, tombstone)
    }
  }

  #tombstone(ended: Tombstone['ended'], successor?: string): Tombstone {
    return { ended, endedAt: this.#io.services.now(), writeId: generateWriteId(), successor }
  }

  /** Seconds that the browser is to keep the cookie; `undefined` until it closes. */
  #maxAgeOf({ deadline, persistent = this.#io.services.persistent }: LiveRecord): number | undefined {
    if (!persistent) return undefined
    return Math.min(secondsUntil(deadline, this.#io.services.now()), LONGEST_AGE_SECONDS)
  }
}

/** Not the session that one was regenerated into, nor what this request has read a newer state of by itself. */
function isNewer(handedOn: LiveSession | undefined, session: LiveSession): handedOn is LiveSession {
  return (
    handedOn?.keys.storeKey === session.keys.storeKey &&
    handedOn.record.generation > session.record.generation
  )
}
