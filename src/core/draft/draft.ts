import { generateWriteId, type SessionTexts } from '../record/record.ts'
import { isUnsaved, textOf, type HeldValue } from './held-value.ts'
import { applyStep, parse, runUpdate, sets, signInOf, textAfter } from './journal.ts'
import type { Journal, SignInStep, Step, TakeStep, UpdateStep } from './journal.ts'
import { toJsonText } from './json.ts'

/** An update or take that waits for the session to be loaded. */
export interface Begun {
  /** Runs it and returns its value. */
  finish(): unknown
  /** Takes it back, since the session could not be loaded. */
  cancel(): void
}

/** Steps, and values with what they were as JSON; `undefined` for one that is none. */
export interface Unsaved {
  readonly steps: ReadonlySet<Step>
  readonly values: ReadonlyMap<object, string | undefined>
}

const NOTHING: SessionTexts = new Map()

/**
 * A request's view of the session: what was loaded, the journal that is being sent, the steps since, and the values that
 * the handler holds, whose nested changes count too.
 */
export class Draft {
  /** What was loaded, once it is, and whose it is: nobody's of an anonymous session, and of none. */
  #base: { texts: SessionTexts; userId: string | undefined } | undefined
  /** On its way to the store, so that it may have been applied: it takes no more steps. */
  #sent: Journal | undefined
  #open: Step[] = []
  readonly #held = new Map<string, HeldValue>()

  /** Whether there is something to write; call `settle` first. */
  get hasSteps(): boolean {
    return this.#sent !== undefined || this.#open.length > 0
  }

  /** Whether nothing was done but read; what is inside a value that was handed out may be another all the same. */
  get isOnlyRead(): boolean {
    return !this.hasSteps && ![...this.#held.values()].some(({ text }) => text === undefined)
  }

  /** What is not known to be written yet. */
  get steps(): readonly Step[] {
    return this.#sent ? [...this.#sent.steps, ...this.#open] : this.#open
  }

  /** Whether `read` can answer before the session is loaded. */
  holds(key: string): boolean {
    return this.#held.has(key) && !this.isOwnerAwaited
  }

  /** Whether only the load can tell what a sign-in leaves. */
  get isOwnerAwaited(): boolean {
    return this.#base === undefined && signInOf(this.steps) !== undefined
  }

  /** Whose session it will be. */
  get userId(): string | undefined {
    return signInOf(this.steps)?.userId ?? this.#base?.userId
  }

  read(key: string): unknown {
    const held = this.#held.get(key)
    if (held) return held.value
    const text = this.#textOf(key)
    const value = parse(text)
    if (text !== undefined) this.#held.set(key, { value, text })
    return value
  }

  has(key: string): boolean {
    const held = this.#held.get(key)
    return (held ? held.value : this.#textOf(key)) !== undefined
  }

  keys(): string[] {
    const changed = this.steps.flatMap((step) => ('key' in step ? [step.key] : []))
    const known = new Set([...this.#texts.keys(), ...changed, ...this.#held.keys()])
    return [...known].filter((key) => this.has(key))
  }

  write(key: string, value: unknown): void {
    this.#held.set(key, { value, text: undefined })
  }

  clear(): void {
    this.#held.clear()
    this.add({ type: 'clear' })
  }

  /** Over another's session only what it keeps is left, as soon as it is known whose it is. */
  signIn(step: SignInStep): void {
    step.heldBefore = new Map(this.#held)
    this.add(step)
    if (this.#base) this.#judgeSignIns(this.#base.userId)
  }

  /** Records a step that no value of the handler's is about. */
  add(step: Step): void {
    this.#open.push(step)
  }

  /** Throws `SessionDataError` when the key holds what cannot be stored. */
  update(key: string, fn: (current: never) => unknown): Begun {
    const held = this.#held.get(key)
    if (held) this.#settleKey(key, held)
    const step: UpdateStep = { type: 'update', key, fn }
    return this.#begin(step, () => {
      try {
        this.#run(step)
      } catch (error) {
        if (held && this.#isLatest(step)) this.#held.set(key, held)
        this.#remove(step)
        throw error
      }
      const { value, output } = step.first ?? {}
      if (output !== undefined && this.#isLatest(step)) this.#held.set(key, { value, text: output })
      return value
    })
  }

  take(key: string): Begun {
    const held = this.#held.get(key)
    // A value that was handed out and changed inside is still the one that the record holds.
    if (held && held.text === undefined) this.#settleKey(key, held)
    const step: TakeStep = { type: 'take', key }
    return this.#begin(step, () => {
      this.#run(step)
      const text = step.first?.text
      if (text === undefined) this.#remove(step)
      // What the handler holds may be older than the record by now: the value is the one that is claimed.
      return held && held.text === text ? held.value : parse(text)
    })
  }

  /**
   * Records every value that was set, and every nested change to a value that was handed out, as a set of that key.
   *
   * Throws `SessionDataError` for a value that is not JSON; it stays as it is, so that the handler may mend it.
   */
  settle(): void {
    for (const [key, held] of this.#held) this.#settleKey(key, held)
  }

  /** Continues from what was loaded, and whose it is, or from nothing. */
  rebase(texts: SessionTexts = NOTHING, userId?: string): void {
    this.#base = { texts, userId }
    this.#judgeSignIns(userId)
  }

  /** What is to be written now: what a lost reply left in doubt, else all steps until here. Later ones would miss it. */
  send(): Journal {
    if (this.#sent) return this.#sent
    const steps = this.#open
    for (const step of steps) if (step.type === 'update' || step.type === 'take') this.#run(step)
    this.#open = []
    return (this.#sent = { writeId: generateWriteId(), steps })
  }

  /** Nothing of the journal can have been applied, so the handler may mend it. */
  takeBack(journal: Journal): void {
    if (this.#sent !== journal) return
    this.#open = [...journal.steps, ...this.#open]
    this.#sent = undefined
  }

  /** The journal is written, and the user's record now holds `texts`. */
  applied(journal: Journal, texts: SessionTexts, userId: string | undefined): void {
    if (this.#sent !== journal) return
    this.#base = { texts, userId }
    this.#sent = undefined
    for (const step of journal.steps) {
      if (!('key' in step)) continue
      const held = this.#held.get(step.key)
      if (held && held.text !== undefined && held.text !== this.#textOf(step.key)) this.#held.delete(step.key)
    }
  }

  /** The session is gone, and the journal with it; what was begun later is judged for itself. */
  lost(journal: Journal): void {
    this.#base = { texts: NOTHING, userId: undefined }
    if (this.#sent === journal) this.#sent = undefined
    for (const [key, held] of this.#held) if (held.text !== undefined) this.#held.delete(key)
  }

  /** Forgets changes and values; says whether there were changes. */
  discard(): boolean {
    const hadChanges = this.hasSteps || [...this.#held].some(([key, held]) => isUnsaved(key, held))
    this.#sent = undefined
    this.#open = []
    this.#held.clear()
    return hadChanges
  }

  /** All that a save would write now, for `isStill` and `drop`. */
  unsaved(): Unsaved {
    const keys = new Set(this.steps.map((step) => 'key' in step && step.key))
    const held = [...this.#held].filter(([key, each]) => keys.has(key) || isUnsaved(key, each))
    const values = new Map(held.map(([key, each]) => [each, textOf(key, each)]))
    return { steps: new Set(this.steps), values }
  }

  /** Whether nothing was changed since; what a load showed to be gone is no change, and neither is what was only read. */
  isStill({ steps, values }: Unsaved): boolean {
    if (!this.steps.every((step) => steps.has(step))) return false
    return [...this.#held].every(([key, held]) =>
      values.has(held) ? values.get(held) === textOf(key, held) : !isUnsaved(key, held),
    )
  }

  /** Forgets it; what was changed since stays. */
  drop({ steps, values }: Unsaved): void {
    this.#open = this.#open.filter((step) => !steps.has(step))
    for (const [key, held] of this.#held) {
      if (!values.has(held)) continue
      if (textOf(key, held) === values.get(held)) this.#held.delete(key)
      else held.text = undefined
    }
  }

  get #texts(): SessionTexts {
    return this.#base?.texts ?? NOTHING
  }

  #judgeSignIns(baseUserId: string | undefined): void {
    let owner = baseUserId
    for (const step of this.steps) {
      if (step.type !== 'sign-in') continue
      step.isOverAnother ??= owner !== undefined && owner !== step.userId
      owner = step.userId
      const held = step.isOverAnother ? step.heldBefore : undefined
      for (const [key, each] of held ?? []) {
        if (!step.keep.has(key) && this.#held.get(key) === each) this.#held.delete(key)
      }
      step.heldBefore = undefined
    }
  }

  #settleKey(key: string, held: HeldValue): void {
    const isNew = held.text === undefined
    if (!isNew && typeof held.value !== 'object') return
    const text = toJsonText(key, held.value)
    if (!isNew && text === held.text) return
    // What was set before a sign-in is before it in the journal, too: over another's session it is to go.
    const after = this.#open.findIndex(
      (step) => step.type === 'sign-in' && step.heldBefore?.get(key) === held,
    )
    this.#open.splice(after < 0 ? this.#open.length : after, 0, { type: 'set', key, text })
    if (text === undefined) this.#held.delete(key)
    else held.text = text
  }

  #begin(step: UpdateStep | TakeStep, finish: () => unknown): Begun {
    this.add(step)
    this.#held.delete(step.key)
    return { finish, cancel: () => this.#remove(step) }
  }

  /** Unless sending ran it already, or nothing is left of the session. What was begun on the key before it runs first. */
  #run(last: UpdateStep | TakeStep): void {
    const { key } = last
    if (last.first || !this.steps.includes(last)) return
    let text = this.#texts.get(key)
    for (const step of this.steps) {
      if (step.type === 'update' && step.key === key) step.first ??= runUpdate(step, text)
      if (step.type === 'take' && step.key === key) step.first ??= { text }
      if (step === last) return
      text = applyStep(step, key, text)
    }
  }

  #remove(step: Step): void {
    this.#open = this.#open.filter((other) => other !== step)
  }

  #isLatest(step: UpdateStep): boolean {
    const { key } = step
    const latest = this.steps.findLast((each) => sets(each, key) || ('key' in each && each.key === key))
    return latest === step && !this.#held.has(key)
  }

  #textOf(key: string): string | undefined {
    return textAfter(this.steps, key, this.#texts.get(key))
  }
}
