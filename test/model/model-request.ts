import { ModelCommit, type Committed, type Facts } from './model-commit.ts'
import { NOTHING, replay, type Change, type Data, type Step } from './steps.ts'
import { IDLE, type ModelSession, type World } from './world.ts'

export interface Timeouts {
  idle?: number | false
  absolute?: number
  persistent?: boolean
}

/** What is written together. There is a second one only while the reply to a write is missing. */
export interface Batch {
  steps: Step[]
  regenerates: boolean
  timeouts: { idle?: number | false; deadline?: number; persistent?: boolean } | undefined
  subject: string | undefined
  /** It went out, and its request was not told what became of it. `writes` of the session by then. */
  doubt: { isApplied: boolean; writes: number } | undefined
}

/** Of a session, as a request read or wrote it. */
export type Known = Pick<ModelSession, 'data' | 'subject' | 'writes'>

const NOTHING_KNOWN: Known = { data: NOTHING, subject: undefined, writes: 0 }

/** What the response is to say. `maxAge` in seconds. */
export type ModelCookie = 'cleared' | { session: ModelSession; maxAge: number | undefined } | undefined

/** A request as its handler sees it. */
export class ModelRequest {
  readonly world: World
  readonly token: string | undefined
  loaded: 'live' | 'ended' | 'none' | undefined
  session: ModelSession | undefined
  known: Known = NOTHING_KNOWN
  batches: Batch[] = []
  /** What the handler holds or wrote: read without asking. */
  readonly held = new Map<string, string | undefined>()
  isTouched = false
  isDestroying = false
  readFailure: { lostWrite: boolean } | undefined
  /** D9: the handler has seen a `save()` fail for an outage, and changed nothing since. */
  isExcused = false
  cookie: ModelCookie

  constructor(world: World, token: string | undefined) {
    this.world = world
    this.token = token
  }

  get hasChanges(): boolean {
    return this.batches.some((batch) => !isEmpty(batch))
  }

  /** Whether reading, all of it or a key, asks the store. */
  needsLoad(key?: string): boolean {
    this.isTouched = true
    return !this.loaded && !this.isDestroying && !(key !== undefined && this.held.has(key))
  }

  load(): void {
    const { world } = this
    const session = world.find(this.token)
    this.readFailure = undefined
    this.loaded = world.look(session)
    if (!session || !world.isKept(session)) return
    const hasOwnIdle = !session.end && session.deadline > world.now && session.idle !== undefined
    world.keep(session, hasOwnIdle ? world.secondsOf(session) : IDLE)
    if (this.loaded !== 'live') return
    this.session = session
    if (!this.isDestroying) this.know(session)
  }

  /** Reads and changes start from here. */
  know({ data, subject, writes }: Known = NOTHING_KNOWN): void {
    this.known = { data, subject, writes }
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

  clear(): void {
    this.held.clear()
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

  setSubject(id: string): void {
    this.#batch().subject = id
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
      timeouts: undefined,
      subject: undefined,
      doubt: undefined,
    }
    this.batches.push(batch)
    return batch
  }

  #read(key: string): string | undefined {
    return this.held.has(key) ? this.held.get(key) : this.view.get(key)
  }

  get view(): Data {
    return this.batches.reduce((data, { steps }) => replay(steps, data).data, this.known.data)
  }
}

export function isEmpty({ steps, regenerates, timeouts, subject }: Batch): boolean {
  return steps.length === 0 && !regenerates && !timeouts && subject === undefined
}
