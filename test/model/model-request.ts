import { ModelCommit, type Committed, type Facts } from './model-commit.ts'
import { NOTHING, replay, type Change, type Data, type SignIn, type Step } from './steps.ts'
import { ABSOLUTE, IDLE, type ModelEnd, type ModelSession, type World } from './world.ts'

export interface Timeouts {
  idle?: number | false
  absolute?: number
  persistent?: boolean
}

export interface SignInOptions extends Timeouts {
  label?: string
  keep?: string[]
}

export interface ModelTimeouts {
  idle?: number | false | undefined
  deadline?: number
  persistent?: boolean
}

/** The last sign-in of a batch, with all that it begins with. */
export interface Begins {
  userId: string
  label: string | undefined
  idle: number | false | undefined
  deadline: number
  persistent: boolean
}

/** What is written together. There is a second one only while the reply to a write is missing. */
export interface Batch {
  steps: Step[]
  regenerates: boolean
  signIn: Begins | undefined
  /** Since the sign-in. */
  timeouts: ModelTimeouts | undefined
  /** It went out, and its request was not told what became of it. `writes` of the session by then. */
  doubt: { isApplied: boolean; writes: number } | undefined
}

/** Of a session, as a request read or wrote it. */
export type Known = Pick<ModelSession, 'data' | 'entry' | 'writes'>

const NOTHING_KNOWN: Known = { data: NOTHING, entry: undefined, writes: 0 }

/** What the response is to say. `maxAge` in seconds. */
export type ModelCookie = 'cleared' | { session: ModelSession; maxAge: number | undefined } | undefined

/** A request as its handler sees it. */
export class ModelRequest {
  readonly world: World
  readonly token: string | undefined
  loaded: 'live' | 'ended' | 'none' | undefined
  loadedAt: number | undefined
  session: ModelSession | undefined
  known: Known = NOTHING_KNOWN
  /** What it found of a session that had ended. */
  end: ModelEnd | undefined
  /** Of the servers when it began. */
  readonly secrets: readonly string[]
  batches: Batch[] = []
  /** What the handler holds or wrote: read without asking. */
  readonly held = new Map<string, string | undefined>()
  isTouched = false
  isDestroying = false
  readFailure: { lostWrite: boolean } | undefined
  /** D9: the handler has seen a `save()` fail for an outage, and changed nothing since. */
  isExcused = false
  cookie: ModelCookie
  #isOwnerKnown = false

  constructor(world: World, token: string | undefined) {
    this.world = world
    this.token = token
    this.secrets = world.secrets
  }

  /** Whether only the load can tell what a sign-in leaves (E11). */
  get isOwnerAwaited(): boolean {
    return this.#signIns.some(({ isOverAnother }) => isOverAnother === undefined)
  }

  get userId(): string | undefined {
    return this.#signIns.at(-1)?.userId ?? this.known.entry?.userId
  }

  get hasChanges(): boolean {
    return this.batches.some((batch) => !isEmpty(batch))
  }

  /** Whether reading, all of it or a key, asks the store. */
  needsLoad(key?: string): boolean {
    this.isTouched = true
    const isHeld = key !== undefined && this.held.has(key) && !this.isOwnerAwaited
    return !this.loaded && !this.isDestroying && !isHeld
  }

  needsLoadForUser(): boolean {
    this.isTouched = true
    return this.userId === undefined && this.needsLoad()
  }

  /** Says whether it writes down that the session is seen; `isSeen` when the store took that. */
  load(isSeen = true): boolean {
    const { world } = this
    const session = world.find(this.token)
    this.readFailure = undefined
    this.loaded = world.look(session)
    this.loadedAt = world.now
    if (this.loaded === 'ended') this.end = session!.end
    if (session && world.isKept(session)) {
      const isLive = world.isReadable(session) && !session.end && session.deadline > world.now
      world.keep(session, isLive && session.idle !== undefined ? world.secondsOf(session) : IDLE)
    }
    const isLive = this.loaded === 'live'
    if (isLive) this.session = session
    if (!this.isDestroying) this.know(isLive ? session : undefined)
    const { entry } = (isLive && session) || {}
    if (!entry || !world.marks.isToBeSeen(entry)) return false
    if (isSeen) world.marks.see(entry, session!)
    return true
  }

  /** Reads and changes start from here. */
  know({ data, entry, writes }: Known = NOTHING_KNOWN): void {
    this.known = { data, entry, writes }
    this.#isOwnerKnown = true
    this.#judgeSignIns()
  }

  /** A2: nothing is saved until a read succeeds. */
  failRead(isWrite: boolean): void {
    if (isWrite) this.isExcused = false
    this.readFailure = { lostWrite: isWrite || (this.readFailure?.lostWrite ?? false) }
    this.failLoad()
  }

  failLoad(): void {
    const session = this.world.find(this.token)
    if (session && this.world.isKept(session)) this.world.blur(session)
  }

  get(key: string): string | undefined {
    const text = this.#read(key)
    if (text !== undefined) this.held.set(key, text)
    return text
  }

  has(key: string): boolean {
    return this.#read(key) !== undefined
  }

  entries(): Data {
    const entries = new Map<string, string>()
    for (const key of new Set([...this.view.keys(), ...this.held.keys()])) {
      const text = this.get(key)
      if (text !== undefined) entries.set(key, text)
    }
    return entries
  }

  exists(): boolean {
    return this.loaded === 'live' && !this.isDestroying
  }

  set(key: string, text: string | undefined): void {
    this.held.set(key, text)
    for (const { held } of this.#signIns) held.delete(key)
    this.#add({ type: 'set', key, text })
  }

  /** D2: a value that was handed out is changed inside. */
  changeInside(key: string, text: string): void {
    this.held.set(key, text)
    this.#add({ type: 'set', key, text, isNested: true })
  }

  /** What a take of a value changed inside does to a newer one is not laid down. */
  isChangedInside(key: string): boolean {
    const steps = this.batches.flatMap((batch) => batch.steps)
    return steps.some((step) => step.type === 'set' && step.key === key && step.isNested)
  }

  /** What a repeated sign-in does with a value that it keeps, and had set before, is not laid down. */
  hasSet(key: string): boolean {
    return this.batches.some(({ steps }) => steps.some((step) => step.type === 'set' && step.key === key))
  }

  clear(): void {
    this.held.clear()
    for (const { held } of this.#signIns) held.clear()
    this.#add({ type: 'clear' })
  }

  update(key: string, change: Change): string | undefined {
    const text = change(this.view.get(key))
    this.#add({ type: 'update', key, change })
    if (text !== undefined) this.held.set(key, text)
    return text
  }

  take(key: string): string | undefined {
    const text = this.view.get(key)
    if (text !== undefined) this.#add({ type: 'take', key, text })
    return text
  }

  regenerateId(): void {
    this.#batch().regenerates = true
  }

  setTimeouts({ absolute, ...others }: Timeouts): void {
    const batch = this.#batch()
    const deadline = absolute === undefined ? {} : { deadline: this.world.now + absolute * 1000 }
    batch.timeouts = { ...batch.timeouts, ...others, ...deadline }
  }

  signIn(
    userId: string,
    { label, keep = [], idle, absolute = ABSOLUTE, persistent = true }: SignInOptions,
  ): void {
    const batch = this.#batch()
    const held = new Set(this.held.keys())
    batch.steps.push({ type: 'sign-in', userId, keep, isOverAnother: undefined, held })
    batch.regenerates = true
    batch.signIn = { userId, label, idle, deadline: this.world.now + absolute * 1000, persistent }
    batch.timeouts = undefined
    if (this.#isOwnerKnown) this.#judgeSignIns()
  }

  destroy(): void {
    this.#discard()
    this.isTouched = true
    this.know()
    this.isDestroying = true
  }

  save(facts: Facts): Committed {
    this.isTouched = true
    const committed = new ModelCommit(this, true, facts).run()
    this.isExcused = committed.outcome === 'outage'
    return committed
  }

  commit(status: number, facts: Facts): Committed {
    if (!this.isTouched) return { outcome: 'done', lost: [], writes: false }
    const isExcused = this.isExcused && !this.isDestroying
    if (status < 500 && !isExcused) return new ModelCommit(this, false, facts).run()
    const isDropped = this.hasChanges || this.readFailure?.lostWrite
    this.#discard()
    const { outcome, lost, writes } = new ModelCommit(this, false, facts).run()
    return { outcome: status < 500 ? outcome : 'done', lost: isDropped ? ['dropped', ...lost] : lost, writes }
  }

  /** What is in doubt no longer, and was not written, takes further changes. */
  joinBatches(): void {
    const [first, second] = this.batches
    if (!first || !second || first.doubt) return
    const timeouts = second.timeouts && { ...(!second.signIn && first.timeouts), ...second.timeouts }
    this.batches = [
      {
        steps: [...first.steps, ...second.steps],
        regenerates: first.regenerates || second.regenerates,
        signIn: second.signIn ?? first.signIn,
        timeouts: timeouts ?? (second.signIn ? undefined : first.timeouts),
        doubt: second.doubt,
      },
    ]
  }

  #discard(): void {
    this.batches = []
    this.held.clear()
    this.readFailure = undefined
  }

  #add(step: Step): void {
    this.#batch().steps.push(step)
  }

  #batch(): Batch {
    this.isTouched = true
    this.isExcused = false
    const last = this.batches.at(-1)
    if (last && !last.doubt) return last
    const batch: Batch = {
      steps: [],
      regenerates: false,
      signIn: undefined,
      timeouts: undefined,
      doubt: undefined,
    }
    this.batches.push(batch)
    return batch
  }

  #read(key: string): string | undefined {
    return this.held.has(key) ? this.held.get(key) : this.view.get(key)
  }

  get #signIns(): SignIn[] {
    const steps = this.batches.flatMap((batch) => batch.steps)
    return steps.filter((step) => step.type === 'sign-in')
  }

  /** E11: what the handler set or was given before is gone, too. */
  #judgeSignIns(): void {
    let owner = this.known.entry?.userId
    for (const step of this.#signIns) {
      const isFirst = step.isOverAnother === undefined
      step.isOverAnother ??= owner !== undefined && owner !== step.userId
      owner = step.userId
      if (!isFirst || !step.isOverAnother) continue
      this.world.reached.add('users: over the session of another')
      for (const key of step.held) if (!step.keep.includes(key)) this.held.delete(key)
    }
  }

  get view(): Data {
    return this.batches.reduce((data, { steps }) => replay(steps, data).data, this.known.data)
  }
}

export function isEmpty({ steps, regenerates, timeouts }: Batch): boolean {
  return steps.length === 0 && !regenerates && !timeouts
}
