import { isEmpty, type Batch, type Known, type ModelRequest } from './model-request.ts'
import { isSame, NOTHING, replay, type Data } from './steps.ts'
import { ABSOLUTE, type ModelSession, type Subject } from './world.ts'

const TOMBSTONE_SECONDS = 60

/** Why a save or commit rejects; `refused` where nobody can know whether an earlier write was applied (E4). */
export type Rejection = 'outage' | 'conflict' | 'refused' | 'ended'

/** What a save or a commit comes to. */
export interface Committed {
  outcome: 'done' | Rejection
  lost: ('dropped' | 'missing')[]
  /** Whether anything is asked of the store but to read. */
  writes: boolean
}

/** Which of the outcomes that are allowed it was, and what only the store can tell. */
export interface Facts {
  /** Nothing arrives. */
  isDown: boolean
  /** Something did not, or its reply did not. */
  hasFailed: boolean
  /** The request was told that the store failed: what it wrote last may have been applied. */
  isUnsettled: boolean
  /** The request was refused an answer. */
  isRefused: boolean
  /** A write was not answered. */
  isInDoubt: boolean
  /** Whether what is under a key was replaced or deleted. */
  isWritten(key: string): boolean
  /** Where the next session was added. */
  addedKey(): string
}

class Rejected extends Error {
  readonly rejection: Rejection

  constructor(rejection: Rejection) {
    super(rejection)
    this.rejection = rejection
  }
}

/** One save or commit: D2, D3, E1, E4, E5, E7, E8. */
export class ModelCommit {
  readonly #request: ModelRequest
  readonly #isExplicit: boolean
  readonly #facts: Facts
  readonly #lost: Committed['lost'] = []
  #writes = false

  constructor(request: ModelRequest, isExplicit: boolean, facts: Facts) {
    this.#request = request
    this.#isExplicit = isExplicit
    this.#facts = facts
  }

  run(): Committed {
    let outcome: Committed['outcome'] = 'done'
    try {
      this.#run()
    } catch (error) {
      if (!(error instanceof Rejected)) throw error
      outcome = error.rejection
    }
    return { outcome, lost: this.#lost, writes: this.#writes }
  }

  #run(): void {
    const request = this.#request
    if (request.isDestroying) {
      this.#load()
      if (request.loaded === 'live') this.#destroy(request.session!)
      request.isDestroying = false
      request.loaded = 'none'
      request.cookie = request.token === undefined ? undefined : 'cleared'
    }
    for (const [key, text] of request.held) if (text === undefined) request.held.delete(key)
    if (!request.hasChanges && !request.readFailure?.lostWrite) return
    if (request.readFailure) throw new Rejected('outage')
    this.#load()
    for (let batch = this.#next(); batch; batch = this.#next()) {
      if (request.loaded === 'live') this.#change(batch, request.session!)
      else if (request.loaded === 'none' || batch.regenerates) {
        request.loaded = 'none'
        if (!this.#create(batch)) return
      } else this.#lose(batch, 'dropped')
    }
  }

  #next(): Batch | undefined {
    return this.#request.batches.find((batch) => !isEmpty(batch))
  }

  #load(): void {
    if (this.#request.loaded) return
    if (this.#facts.isDown && this.#request.token !== undefined) {
      this.#request.failLoad()
      throw new Rejected('outage')
    }
    this.#request.load()
  }

  /** E5: what became of the session meanwhile ends, too. */
  #destroy(session: ModelSession): void {
    const { world } = this.#request
    const { isUnsettled, isWritten } = this.#facts
    this.#writes = true
    const successor = session.end?.successor
    if (world.isKept(session)) {
      if (session.end) world.blur(session)
      else if (!isUnsettled || isWritten(session.key)) this.#end(session, 'destroyed')
      if (successor && (!isUnsettled || isWritten(successor.key))) world.evict(successor)
    }
    if (!isUnsettled) return
    world.blur(session)
    throw new Rejected('outage')
  }

  #change(batch: Batch, session: ModelSession): void {
    if (batch.regenerates) this.#regenerate(batch, session)
    else this.#save(batch, session)
  }

  #save(batch: Batch, session: ModelSession): void {
    const { world, known } = this.#request
    if (!this.#isChange(batch)) return this.#settle(batch, known)
    this.#writes = true
    if (this.#facts.isUnsettled) {
      if (this.#facts.isInDoubt) this.#doubt(batch, session)
      world.blur(session)
      throw new Rejected('outage')
    }
    // Whoever ended it may have carried over what is in doubt.
    if ((batch.doubt || this.#facts.isInDoubt) && (!world.isKept(session) || session.end)) {
      this.#doubt(batch, session)
      throw new Rejected('outage')
    }
    if (!world.isKept(session)) return this.#lose(batch, 'missing')
    this.#reread(session)
    if (this.#isRefused(batch, session)) {
      this.#doubt(batch, session)
      throw new Rejected('refused')
    }
    if (session.end) return this.#lose(batch, 'dropped')
    if (!batch.doubt?.isApplied && this.#isChange(batch, session)) this.#apply(batch, session)
    if (batch.timeouts) this.#hand(session)
    return this.#settle(batch, session)
  }

  #doubt(batch: Batch, session: ModelSession): void {
    const isWritten = this.#facts.isWritten(session.key)
    if (isWritten) this.#apply(batch, session)
    batch.doubt ??= { isApplied: false, writes: this.#request.known.writes }
    batch.doubt.isApplied ||= isWritten
  }

  /** E4: others wrote since, perhaps too many to tell. */
  #isRefused({ doubt }: Batch, session: ModelSession): boolean {
    const { isRefused, isInDoubt } = this.#facts
    if (!isRefused || !(doubt || isInDoubt)) return false
    return session.writes > (doubt ?? this.#request.known).writes
  }

  #regenerate(batch: Batch, session: ModelSession): void {
    const { world } = this.#request
    const isChange = this.#isChange(batch)
    this.#writes = true
    if (this.#facts.isUnsettled) {
      if (this.#facts.isWritten(session.key)) this.#end(session, 'regenerated')
      world.blur(session)
      throw new Rejected('outage')
    }
    const key = this.#facts.addedKey()
    if (!world.isKept(session)) return this.#lose(batch, 'missing', 'ended')
    this.#reread(session)
    if (session.end) {
      if (session.end.how === 'destroyed') return this.#lose(batch, 'dropped', 'ended')
      return this.#lose(batch, 'dropped', isChange ? 'conflict' : undefined)
    }
    this.#isChange(batch, session)
    const successor: ModelSession = { ...session, key, token: undefined, writes: 0 }
    world.sessions.push(successor)
    this.#apply(batch, successor)
    this.#end(session, 'regenerated', successor)
    this.#request.session = successor
    this.#hand(successor)
    return this.#settle(batch, successor)
  }

  /** B3. Says whether there was anything to make a session of. */
  #create(batch: Batch): boolean {
    const request = this.#request
    const { world } = request
    if (this.#replay(batch, NOTHING).size === 0) return false
    this.#writes = true
    if (this.#facts.isUnsettled) throw new Rejected('outage')
    const session: ModelSession = {
      key: this.#facts.addedKey(),
      token: undefined,
      data: NOTHING,
      deadline: world.now + ABSOLUTE * 1000,
      idle: undefined,
      isPersistent: true,
      subject: undefined,
      end: undefined,
      writes: 0,
      kept: { atLeast: 0, atMost: 0 },
    }
    world.sessions.push(session)
    this.#apply(batch, session)
    request.loaded = 'live'
    request.session = session
    this.#hand(session)
    this.#settle(batch, session)
    return true
  }

  /** Rejects where a value that this request took is gone, and it asked to know (E1). */
  #replay({ steps }: Batch, data: Data): Data {
    const after = replay(steps, data)
    if (after.isSpent && this.#isExplicit) throw new Rejected('conflict')
    return after.data
  }

  /** Of the session as it is, or as the request knows it. */
  #isChange(batch: Batch, { data, subject }: Known = this.#request.known): boolean {
    const after = this.#replay(batch, data)
    const isTied = isSameSubject(this.#tie(batch, subject), subject)
    return !isSame(after, data) || batch.timeouts !== undefined || !isTied
  }

  /** E9: a session keeps its tie to a subject, so that one that was revoked does not come back; a new token is tied anew. */
  #tie({ subject: id, regenerates }: Batch, subject: Subject | undefined): Subject | undefined {
    const isKept = id === undefined || (id === subject?.id && !regenerates)
    return isKept ? subject : this.#request.world.tie(id)
  }

  #apply(batch: Batch, session: ModelSession): void {
    const { world } = this.#request
    const { steps, timeouts } = batch
    session.data = replay(steps, session.data).data
    session.subject = this.#tie(batch, session.subject)
    if (timeouts?.idle !== undefined) session.idle = timeouts.idle
    if (timeouts?.deadline !== undefined) session.deadline = timeouts.deadline
    if (timeouts?.persistent !== undefined) session.isPersistent = timeouts.persistent
    session.writes++
    world.keep(session, world.secondsOf(session))
  }

  /** Unless nobody wrote meanwhile, and then it is written. */
  #reread(session: ModelSession): void {
    const { world } = this.#request
    if (session.end) world.blur(session)
    else world.keep(session, world.secondsOf(session))
  }

  #end(session: ModelSession, how: 'destroyed' | 'regenerated', successor?: ModelSession): void {
    const { world } = this.#request
    session.end = { at: world.now, how, ...(successor && { successor }) }
    world.keep(session, TOMBSTONE_SECONDS)
    // What settles a lost reply reads it, and keeps it longer.
    if (this.#facts.hasFailed) world.blur(session)
  }

  #hand(session: ModelSession): void {
    const maxAge = session.isPersistent ? this.#request.world.secondsUntil(session.deadline) : undefined
    this.#request.cookie = { session, maxAge }
  }

  /** The batch is done, and the request goes on from here; a value that came out otherwise is read anew. */
  #settle(batch: Batch, known: Known): void {
    const request = this.#request
    request.batches = request.batches.filter((other) => other !== batch)
    request.know(known)
    const view = request.view
    for (const step of batch.steps) {
      if (step.type !== 'clear' && request.held.get(step.key) !== view.get(step.key))
        request.held.delete(step.key)
    }
  }

  #lose(batch: Batch, lost: 'dropped' | 'missing', rejection?: Rejection): void {
    const request = this.#request
    this.#lost.push(lost)
    request.batches = request.batches.filter((other) => other !== batch)
    request.know()
    request.held.clear()
    request.loaded = 'ended'
    if (request.cookie !== 'cleared') request.cookie = undefined
    if (rejection) throw new Rejected(rejection)
    if (this.#isExplicit) throw new Rejected('ended')
  }
}

function isSameSubject(left: Subject | undefined, right: Subject | undefined): boolean {
  return left?.id === right?.id && left?.epoch === right?.epoch
}
