import { entryTimes, idleOf, type Entry } from './model-marks.ts'
import { isEmpty, type Batch, type Known, type ModelRequest } from './model-request.ts'
import { besideSignIns, isSame, NOTHING, replay, type Data } from './steps.ts'
import { ABSOLUTE, type ModelEnd, type ModelSession } from './world.ts'

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
  /** The first write never arrived. */
  isFirstWriteLost: boolean
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

/** One save or commit: D2, D3, E1, E4, E5, E7 to E11. */
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
      this.#request.joinBatches()
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
    if (request.isOwnerAwaited) this.#load()
    for (const [key, text] of request.held) if (text === undefined) request.held.delete(key)
    if (!request.hasChanges && !request.readFailure?.lostWrite) return
    this.#load()
    for (let batch = this.#next(); batch; batch = this.#next()) {
      if (request.loaded === 'live') this.#change(batch, request.session!)
      else if (!this.#begin(batch)) return
    }
  }

  #next(): Batch | undefined {
    return this.#request.batches.find((batch) => !isEmpty(batch))
  }

  #load(): void {
    if (this.#request.readFailure && !this.#request.isDestroying) throw new Rejected('outage')
    if (this.#request.loaded) return
    if (this.#facts.isDown && this.#request.token !== undefined) {
      this.#request.failLoad()
      throw new Rejected('outage')
    }
    if (this.#request.load()) this.#writes = true
  }

  /** E5: what became of the session meanwhile ends, too, to the last. */
  #destroy(session: ModelSession): void {
    const { world } = this.#request
    const { isUnsettled, isWritten } = this.#facts
    this.#writes = true
    if (world.isReadable(session)) {
      if (session.end) world.blur(session)
      else if (!isUnsettled || isWritten(session.key)) this.#end(session, { how: 'destroyed' })
      if (!isUnsettled) this.#endSuccessor(session.end?.successor)
    }
    if (!isUnsettled) {
      if (session.entry) world.marks.delist(session.entry)
      return
    }
    world.blur(session)
    throw new Rejected('outage')
  }

  #endSuccessor(session: ModelSession | undefined): void {
    const { world } = this.#request
    if (!session || !world.isReadable(session)) return
    if (session.end) return this.#endSuccessor(session.end.successor)
    this.#end(session, { how: 'destroyed' })
    if (session.entry) world.marks.delist(session.entry)
  }

  #change(batch: Batch, session: ModelSession): void {
    if (batch.regenerates) this.#regenerate(batch, session)
    else this.#save(batch, session)
  }

  #save(batch: Batch, session: ModelSession): void {
    const { world, known } = this.#request
    if (!this.#isChange(batch)) return this.#settle(batch, known)
    const isUnlisted = batch.timeouts !== undefined && !world.isListed(session)
    this.#writes ||= !isUnlisted
    if (this.#facts.isUnsettled) {
      if (this.#facts.isInDoubt) this.#doubt(batch, session)
      world.blur(session)
      throw new Rejected('outage')
    }
    // A sign-in over it may have carried over what is in doubt.
    if (isUnlisted && batch.doubt) throw new Rejected('outage')
    if (isUnlisted) return this.#lose(batch, 'dropped')
    if (batch.timeouts) this.#announce(session, batch)
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
    // Others wrote in its place.
    if (batch.doubt && !batch.doubt.isApplied && session.writes > batch.doubt.writes) batch.doubt = undefined
    if (!batch.doubt?.isApplied && this.#isChange(batch, session)) this.#apply(batch, session)
    if (batch.timeouts) {
      this.#tellExactly(session)
      this.#hand(session)
    }
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
    const { signIn, timeouts } = batch
    const { entry } = session
    if (this.#facts.isUnsettled) {
      this.#writes = true
      if (!entry) this.#isChange(batch)
      else if (!this.#facts.isDown && (signIn || timeouts) && this.#keeps(entry, signIn)) {
        this.#announce(session, batch)
      }
      if (this.#facts.isWritten(session.key)) this.#end(session, { how: 'regenerated' })
      world.blur(session)
      throw new Rejected('outage')
    }
    const keepsEntry = entry !== undefined && this.#keeps(entry, signIn)
    if (entry) {
      if (!world.isListed(session)) {
        const { end } = world.isReadable(session) ? session : {}
        return signIn && end?.successor ? this.#meet(batch, end) : this.#lose(batch, 'dropped', 'ended')
      }
      if (keepsEntry && (signIn || timeouts)) this.#announce(session, batch)
    }
    const isChange = this.#isChange(batch)
    this.#writes = true
    const key = this.#facts.addedKey()
    const isGone = !world.isReadable(session)
    if (signIn && !keepsEntry && (isGone || session.end)) this.#listForNothing(signIn)
    if (isGone) return this.#lose(batch, 'missing', 'ended')
    this.#reread(session)
    if (session.end) {
      if (isChange || session.end.how === 'destroyed') return this.#meet(batch, session.end)
      return this.#lose(batch, 'dropped')
    }
    this.#isChange(batch, session)
    const successor: ModelSession = { ...session, key, token: undefined, writes: 0 }
    if (!keepsEntry) successor.entry = undefined
    world.sessions.push(successor)
    this.#apply(batch, successor)
    this.#end(session, { how: 'regenerated', successor, userId: successor.entry?.userId })
    if (signIn && !keepsEntry) this.#makeRoom(successor.entry!)
    if (keepsEntry && (signIn || timeouts)) this.#tellExactly(successor)
    if (entry && !keepsEntry) world.marks.delist(entry)
    return this.#go(batch, successor)
  }

  /** Who signs in again keeps his entry. */
  #keeps({ userId }: Entry, signIn: Batch['signIn']): boolean {
    return !signIn || signIn.userId === userId
  }

  /** An entry that is taken back has been listed, and a list is kept for as long as any that it ever held (E9). */
  #listForNothing({ userId, idle, deadline }: NonNullable<Batch['signIn']>): void {
    const { world, secrets } = this.#request
    const { now: signedInAt, now: lastSeenAt } = world
    const times = { idle: idleOf(idle), until: deadline }
    const entry = {
      id: undefined,
      userId,
      secret: secrets[0]!,
      label: undefined,
      signedInAt,
      lastSeenAt,
      ...times,
    }
    world.marks.add(entry)
    world.marks.delist(entry)
  }

  /** E10: the list is told before the record what is longer than it has it, and the rest after it. */
  #announce({ entry, idle, deadline }: ModelSession, { signIn, timeouts }: Batch): void {
    if (!entry) return
    const { now } = this.#request.world
    const times = { idle: idleOf(signIn ? signIn.idle : idle), until: (signIn ?? { deadline }).deadline }
    const { idle: longer, until } = { ...times, ...entryTimes(timeouts ?? {}) }
    this.#changeEntry(entry, {
      ...(this.#request.world.marks.isToBeSeen(entry) && { lastSeenAt: now }),
      ...(signIn && { signedInAt: now, lastSeenAt: now }),
      ...(signIn?.label && { label: signIn.label }),
      idle: longer === false || entry.idle === false ? false : Math.max(entry.idle, longer),
      until: Math.max(entry.until, until),
    })
  }

  #tellExactly({ entry, idle, deadline }: ModelSession): void {
    if (entry) this.#changeEntry(entry, { idle: idleOf(idle), until: deadline })
  }

  #changeEntry(entry: Entry, changes: Partial<Entry>): void {
    const isChange = Object.entries(changes).some(([name, value]) => entry[name as keyof Entry] !== value)
    if (!isChange) return
    this.#request.world.marks.change(entry, changes)
    this.#writes = true
  }

  #makeRoom(entry: Entry): void {
    const { world, secrets } = this.#request
    if (world.marks.makeRoom(entry, secrets) > 0) world.reached.add('users: the cap')
  }

  /** E7: another request gave the session a new token first, or ended it. */
  #meet(batch: Batch, end: ModelEnd): void {
    const { signIn } = batch
    if (end.how === 'destroyed') return this.#lose(batch, 'dropped', 'ended')
    if (!signIn || end.userId === undefined) return this.#lose(batch, 'dropped', 'conflict')
    if (this.#join(batch, end)) return undefined
    if (signIn.userId === end.userId) return this.#lose(batch, 'dropped', 'ended')
    this.#request.world.reached.add('users: somebody else signed in meanwhile')
    this.#request.loaded = 'none'
    this.#create(batch)
    return undefined
  }

  /** The same user has signed in over the same session: there is one session, and one token (E7). */
  #join(batch: Batch, { successor, userId }: ModelEnd): boolean {
    const { world } = this.#request
    if (userId === undefined || batch.signIn?.userId !== userId) return false
    if (this.#facts.isUnsettled) throw new Rejected('outage')
    const session = world.lastOf(successor, userId)
    // Whoever signs in uses it.
    if (session) world.keep(session, world.secondsOf(session))
    if (!session?.entry || !world.isListed(session)) return false
    world.reached.add('users: a sign-in repeated')
    const { timeouts } = batch
    const rest: Batch = { ...batch, steps: besideSignIns(batch.steps), signIn: undefined }
    if (timeouts) this.#announce(session, rest)
    if (this.#isChange(rest, session)) {
      this.#writes = true
      this.#apply(rest, session)
    }
    if (timeouts) this.#tellExactly(session)
    this.#go(batch, session)
    return true
  }

  /** B3, E6, E7, where nothing lives. Says whether there was anything to do. */
  #begin(batch: Batch): boolean {
    const request = this.#request
    if (request.loaded === 'ended' && request.end && this.#join(batch, request.end)) return true
    if (batch.regenerates) request.loaded = 'none'
    if (request.loaded === 'none') return this.#create(batch)
    this.#lose(batch, 'dropped')
    return true
  }

  /** Says whether there was anything to make a session of. */
  #create(batch: Batch): boolean {
    const { world, secrets } = this.#request
    if (this.#replay(batch, NOTHING).size === 0 && !batch.signIn) return false
    this.#writes = true
    if (this.#facts.isUnsettled) throw new Rejected('outage')
    const session: ModelSession = {
      key: this.#facts.addedKey(),
      token: undefined,
      data: NOTHING,
      deadline: world.now + ABSOLUTE * 1000,
      idle: undefined,
      isPersistent: true,
      entry: undefined,
      end: undefined,
      sealedBy: secrets[0]!,
      writes: 0,
      kept: { atLeast: 0, atMost: 0, loadedAt: 0 },
    }
    world.sessions.push(session)
    this.#apply(batch, session)
    if (session.entry) this.#makeRoom(session.entry)
    this.#go(batch, session)
    return true
  }

  /** Rejects where a value that this request took is gone, and it asked to know (E1). */
  #replay({ steps }: Batch, data: Data): Data {
    const after = replay(steps, data)
    if (after.isSpent && this.#isExplicit) throw new Rejected('conflict')
    return after.data
  }

  /** Of the session as it is, or as the request knows it. */
  #isChange(batch: Batch, { data }: Pick<Known, 'data'> = this.#request.known): boolean {
    const after = this.#replay(batch, data)
    return !isSame(after, data) || batch.timeouts !== undefined || batch.signIn !== undefined
  }

  #apply({ steps, signIn, timeouts }: Batch, session: ModelSession): void {
    const { world, secrets } = this.#request
    session.data = replay(steps, session.data).data
    if (signIn) {
      session.idle = signIn.idle
      session.deadline = signIn.deadline
      session.isPersistent = signIn.persistent
    }
    if (timeouts?.idle !== undefined) session.idle = timeouts.idle
    if (timeouts?.deadline !== undefined) session.deadline = timeouts.deadline
    if (timeouts?.persistent !== undefined) session.isPersistent = timeouts.persistent
    if (signIn && !session.entry) {
      const { now } = world
      const [secret] = secrets as [string]
      const { userId, label } = signIn
      const times = { idle: idleOf(session.idle), until: session.deadline }
      session.entry = { id: undefined, userId, secret, label, signedInAt: now, lastSeenAt: now, ...times }
      world.marks.add(session.entry)
    }
    session.writes++
    this.#seal(session, world.secondsOf(session))
  }

  #seal(session: ModelSession, seconds: number): void {
    session.sealedBy = this.#request.secrets[0]!
    this.#request.world.keep(session, seconds, this.#request.loadedAt)
  }

  /** Unless nobody wrote meanwhile, and then it is written. */
  #reread(session: ModelSession): void {
    const { world } = this.#request
    if (session.end) world.blur(session)
    else world.keep(session, world.secondsOf(session), this.#request.loadedAt)
  }

  #end(session: ModelSession, end: Omit<ModelEnd, 'at'>): void {
    const { world } = this.#request
    session.end = { at: world.now, ...end }
    this.#seal(session, TOMBSTONE_SECONDS)
    // What settles a lost reply reads it, and keeps it longer.
    if (this.#facts.hasFailed) world.blur(session)
  }

  /** The request goes on with a session whose token it hands out. */
  #go(batch: Batch, session: ModelSession): void {
    const request = this.#request
    request.loaded = 'live'
    request.session = session
    this.#hand(session)
    this.#settle(batch, session)
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
      if ('key' in step && request.held.get(step.key) !== view.get(step.key)) request.held.delete(step.key)
    }
  }

  #lose(batch: Batch, lost: 'dropped' | 'missing', rejection?: Rejection): void {
    const request = this.#request
    this.#lost.push(lost)
    request.batches = request.batches.filter((other) => other !== batch)
    request.know()
    request.held.clear()
    if (request.loaded === 'live') request.end = undefined
    request.loaded = 'ended'
    if (request.cookie !== 'cleared') request.cookie = undefined
    if (rejection) throw new Rejected(rejection)
    if (this.#isExplicit) throw new Rejected('ended')
  }
}
