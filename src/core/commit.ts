import type { Changes } from './changes.ts'
import { MAX_COOKIE_AGE_SECONDS } from './cookie.ts'
import { SessionConflictError, SessionEndedError, StoreUnavailableError } from './errors.ts'
import { RecordIO, type LiveSession, type Services } from './record-io.ts'
import { generateWriteId, nextRecord, type LiveRecord, type SessionTexts, type Tombstone } from './record.ts'
import type { SessionState } from './session-state.ts'
import { swap, type Write } from './swap.ts'
import { generateToken } from './token.ts'

/**
 * Writes what a request did to its session. `explicit` is a `save()`: it throws where the commit after the handler
 * would only report.
 */
export class Commit {
  readonly #services: Services
  readonly #state: SessionState
  readonly #explicit: boolean
  readonly #io: RecordIO

  constructor(services: Services, state: SessionState, explicit: boolean) {
    this.#services = services
    this.#state = state
    this.#explicit = explicit
    this.#io = new RecordIO(services)
  }

  async run(): Promise<void> {
    const state = this.#state
    if (state.isDestroying) {
      await state.loadToCommit()
      await this.#endLoaded()
      state.hasEnded()
    }
    state.copy.settle()
    if (!state.needsCommit) return
    await state.loadToCommit()
    // A destroy() meanwhile is for the next commit, and so is what was begun after it.
    for (let batch = state.copy.pending; batch && !state.isDestroying; batch = state.copy.pending) {
      try {
        if (!(await this.#write(batch))) return
      } catch (error) {
        // Nothing of it can have been applied, so the handler may mend it.
        if (batch.unanswered === undefined) batch.sent = false
        throw error
      }
    }
  }

  /** Whether the batch is dealt with; `false` when it waits for data to make a session of. */
  async #write(batch: Changes): Promise<boolean> {
    const state = this.#state
    if (state.loaded?.state === 'live') {
      const { session } = state.loaded
      await this.#services.turns.take(session.storeKey, async (handedOn) => {
        // Another server may have written in between, and this request have read it already.
        const isNewer = handedOn && handedOn.record.generation > session.record.generation
        if (!batch.regenerate) return this.#save(batch, isNewer ? handedOn : session)
        await this.#regenerate(batch, session)
        return undefined
      })
      return true
    }
    if (batch.regenerate) {
      await this.#endLoaded()
      state.loaded = { state: 'none' }
    }
    if (state.loaded?.state === 'none') return this.#create(batch)
    this.#drop('dropped', batch)
    return true
  }

  async #create(batch: Changes): Promise<boolean> {
    const { now, absoluteTimeout } = this.#services.options
    const { texts, spent } = batch.applyTo(new Map())
    if (spent && this.#explicit) throw alreadySpent()
    if (texts.size === 0) return false
    batch.sent = true
    const createdAt = now()
    const deadline = createdAt + absoluteTimeout * 1000
    const empty = { createdAt, deadline, generation: 0, writtenAt: createdAt, writeIds: [], texts }
    const session = await this.#add(this.#written(empty, batch, texts))
    this.#handOut(session, batch)
    this.#io.report('created')
    return true
  }

  /** Returns the newest record for the commit that waits behind this one. */
  async #save(batch: Changes, loaded: LiveSession): Promise<LiveSession | undefined> {
    const swapped = await swap(this.#services, this.#io, loaded, batch, (newest) => this.#next(batch, newest))
    switch (swapped.outcome) {
      case 'unchanged':
        this.#keep(swapped.session, batch)
        return swapped.session
      case 'written':
        if (batch.timeouts) this.#handOut(swapped.session, batch)
        else this.#keep(swapped.session, batch)
        this.#io.report('saved')
        return swapped.session
      case 'ended':
        this.#drop('dropped', batch)
        return undefined
      case 'missing':
        this.#drop('missing', batch)
        return undefined
      case 'exhausted':
        throw new SessionConflictError('other requests kept writing the same session; nothing was written')
    }
  }

  /** The newest record with the batch replayed on it; `undefined` when that changes nothing. */
  #next(batch: Changes, { record }: LiveSession): LiveRecord | undefined {
    const lastForgotten = record.generation - record.writeIds.length
    if (batch.unanswered !== undefined && lastForgotten > batch.unanswered) {
      throw new SessionConflictError('the reply to a write was lost, and too many others wrote since to tell')
    }
    const { texts, changed, spent } = batch.applyTo(record.texts)
    if (spent && this.#explicit) throw alreadySpent()
    if (!changed && !batch.timeouts) return undefined
    batch.sent = true
    return this.#written(record, batch, texts)
  }

  /**
   * Adds the session under a new token, then swaps a tombstone into the old key, which names the new one. What came
   * between is carried over first. The new token leaves the process only once the old one is dead.
   */
  async #regenerate(batch: Changes, loaded: LiveSession): Promise<void> {
    const carryOver = ({ record }: LiveSession) => {
      const { texts, spent } = batch.applyTo(record.texts)
      if (spent && this.#explicit) throw alreadySpent()
      batch.sent = true
      return this.#written(record, batch, texts)
    }
    const changesData = batch.timeouts !== undefined || batch.applyTo(loaded.record.texts).changed
    let successor = await this.#add(carryOver(loaded))
    let carried = loaded.version
    const tombstone = this.#tombstone('regenerated', successor.storeKey)
    try {
      const swapped = await swap(this.#services, this.#io, loaded, idOf(tombstone), async (newest) => {
        if (newest.version !== carried) successor = await this.#rewrite(successor, carryOver(newest))
        carried = newest.version
        return tombstone
      })
      if (swapped.outcome === 'written') {
        this.#handOut(successor, batch)
        return this.#io.report('regenerated')
      }
      if (swapped.outcome === 'exhausted') {
        throw new SessionConflictError('other requests kept writing the same session; its token was kept')
      }
      if (swapped.outcome !== 'ended' || swapped.tombstone.ended === 'destroyed') {
        this.#lose(swapped.outcome === 'missing' ? 'missing' : 'dropped', batch)
        throw new SessionEndedError('the session ended while its token was being regenerated')
      }
    } catch (error) {
      this.#discard(successor)
      throw error
    }
    this.#discard(successor)
    if (!changesData) return this.#drop('dropped', batch)
    this.#lose('dropped', batch)
    throw new SessionConflictError("another request regenerated the session's token first")
  }

  /** Nobody else knows the successor's key yet, so a swap that fails is an outage. */
  async #rewrite(successor: LiveSession, record: LiveRecord): Promise<LiveSession> {
    const reply = await this.#io.replace(successor, record, successor.version)
    if (reply.outcome === 'replaced') return { ...successor, record, version: reply.version }
    throw new StoreUnavailableError('replace', new Error(`the new record is ${reply.outcome}`))
  }

  /** Not waited for: the new token never left the process, so a record that stays is known to nobody and runs out. */
  #discard(successor: LiveSession): void {
    void this.#io.delete(successor.storeKey).catch(() => {})
  }

  /** Adds under a fresh token; once more under another, which may live on another server, before giving up. */
  async #add(record: LiveRecord): Promise<LiveSession> {
    for (let attempt = 0; ; attempt++) {
      const keys = await this.#io.keysOf(generateToken())
      try {
        const version = await this.#io.add(keys, record)
        if (version !== undefined) return { ...keys, record, version }
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
      await this.#services.turns.take(session.storeKey, async () => {
        await this.#end(session)
        return undefined
      })
      this.#io.report('destroyed')
    }
  }

  /** Writers cannot starve a sign-out: after the last conflict the tombstone is written unconditionally. */
  async #end(session: LiveSession): Promise<void> {
    const tombstone = this.#tombstone('destroyed')
    const swapped = await swap(this.#services, this.#io, session, idOf(tombstone), () => tombstone)
    if (swapped.outcome === 'exhausted') return this.#io.set(session, tombstone)
    // This request held the session live, so the end it asked for is meant for what became of it too.
    if (swapped.outcome === 'ended' && swapped.tombstone.successor !== undefined) {
      await this.#io.delete(swapped.tombstone.successor)
    }
  }

  #tombstone(ended: Tombstone['ended'], successor?: string): Tombstone {
    const endedAt = this.#services.options.now()
    const tombstone = { ended, endedAt, writeId: generateWriteId() }
    return successor === undefined ? tombstone : { ...tombstone, successor }
  }

  #written(record: LiveRecord, batch: Changes, texts: SessionTexts): LiveRecord {
    const next = nextRecord(record, batch.writeId, this.#services.options.now(), texts)
    return { ...next, ...batch.timeouts }
  }

  #keep(session: LiveSession, batch: Changes): void {
    this.#state.loaded = { state: 'live', session }
    this.#state.copy.applied(batch, session.record.texts)
  }

  /** As `#keep`, and the response is to carry the session's token. */
  #handOut(session: LiveSession, batch: Changes): void {
    this.#keep(session, batch)
    const { options } = this.#services
    const { deadline, persistent = options.persistent } = session.record
    const left = Math.max(1, Math.ceil((deadline - options.now()) / 1000))
    const maxAge = persistent ? Math.min(left, MAX_COOKIE_AGE_SECONDS) : undefined
    this.#state.cookie = { token: session.token, maxAge }
  }

  #lose(event: 'dropped' | 'missing', batch: Changes): void {
    this.#services.emit(event)
    this.#state.loseSession(batch)
  }

  #drop(event: 'dropped' | 'missing', batch: Changes): void {
    this.#lose(event, batch)
    if (this.#explicit) throw new SessionEndedError('the session ended; nothing was written')
  }
}

function idOf({ writeId }: Tombstone): Write {
  return { writeId }
}

function alreadySpent(): SessionConflictError {
  return new SessionConflictError(
    'another request took or changed a value that this one took; nothing was written',
  )
}
