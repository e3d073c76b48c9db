import { toJsonText } from './json.ts'
import { generateWriteId, type SessionTexts } from './record.ts'

/** What {@link Session.setTimeouts} asked for; `deadline` in milliseconds since the epoch. */
export interface TimeoutChanges {
  idleTimeout?: number | false
  deadline?: number
  persistent?: boolean
}

/** One step on one key, working on JSON texts; `undefined` is no value. */
export type Step =
  | { type: 'set'; text: string | undefined }
  | {
      type: 'update'
      fn: (current: never) => unknown
      ran?: { input: string | undefined; output: string | undefined }
    }
  | { type: 'take'; text?: string }

/**
 * What one request did to a session: steps in order for each key, and how to replay them on a newer base. A key
 * without steps keeps what the newest record says; nothing is ever merged inside a value.
 */
export class Changes {
  readonly writeId: string = generateWriteId()
  regenerate = false
  timeouts: TimeoutChanges | undefined
  /** On its way to the store, so that it may have been applied: later changes go into another batch. */
  sent = false
  /** The generation on which a write went out whose reply never came. */
  unanswered: number | undefined
  #cleared = false
  /** In order, the moot ones too: whoever waits for them sees what stood there, and a take stays a claim. */
  readonly #steps = new Map<string, Step[]>()

  get isEmpty(): boolean {
    return this.#steps.size === 0 && !this.#cleared && !this.regenerate && !this.timeouts
  }

  get keys(): Iterable<string> {
    return this.#steps.keys()
  }

  add(key: string, step: Step): void {
    const steps = this.#steps.get(key)
    if (steps) steps.push(step)
    else this.#steps.set(key, this.#cleared ? [CLEARED, step] : [step])
  }

  remove(key: string, step: Step): void {
    const steps = this.#steps.get(key)?.filter((other) => other !== step) ?? []
    if (steps.length > 0) this.#steps.set(key, steps)
    else this.#steps.delete(key)
  }

  /** Takes back what never ran because the session could not be loaded; says whether there was any. */
  removeUnfinished(): boolean {
    const unfinished = [...this.#steps].flatMap(([key, steps]) =>
      steps.filter((step) => !hasRun(step)).map((step) => ({ key, step })),
    )
    for (const { key, step } of unfinished) this.remove(key, step)
    return unfinished.length > 0
  }

  clear(): void {
    this.#cleared = true
    for (const steps of this.#steps.values()) steps.push(CLEARED)
  }

  endsWith(key: string, step: Step): boolean {
    return this.#steps.get(key)?.at(-1) === step
  }

  /** The key's text after these changes, or just before the step `until`. */
  textAfter(
    key: string,
    text: string | undefined,
    until?: Step,
  ): { text: string | undefined; reached: boolean } {
    const steps = this.#steps.get(key)
    if (!steps) return { text: this.#cleared ? undefined : text, reached: false }
    const end = until ? steps.indexOf(until) : -1
    const reached = end !== -1
    const relevant = reached ? steps.slice(0, end) : steps
    // A set makes all before it moot.
    const start = Math.max(
      0,
      relevant.findLastIndex(({ type }) => type === 'set'),
    )
    return {
      text: relevant.slice(start).reduce((before, step) => applyStep(step, key, before), text),
      reached,
    }
  }

  /** The base with these changes; `spent` when a value that this request took is no longer there. */
  applyTo(base: SessionTexts): { texts: SessionTexts; changed: boolean; spent: boolean } {
    const texts = this.#cleared ? new Map<string, string>() : new Map(base)
    let spent = false
    for (const [key, steps] of this.#steps) {
      spent ||= isSpent(steps, key, base.get(key))
      const { text } = this.textAfter(key, base.get(key))
      if (text === undefined) texts.delete(key)
      else texts.set(key, text)
    }
    const changed = texts.size !== base.size || [...texts].some(([key, text]) => base.get(key) !== text)
    return { texts, changed, spent }
  }
}

/** Runs an update function; throws what it throws, and `TypeError` when it returns a promise. */
export function runUpdate(fn: (current: never) => unknown, current: unknown): unknown {
  const value = fn(current as never)
  if (typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function') {
    // Nobody else will ever look at it.
    ;(value as PromiseLike<unknown>).then(undefined, () => {})
    throw new TypeError('update: expected a synchronous function, got one that returns a promise')
  }
  return value
}

/** Whether a value that was taken is another one by now, or gone. A set in between makes it the request's own. */
function isSpent(steps: readonly Step[], key: string, text: string | undefined): boolean {
  if (!steps.some(({ type }) => type === 'take')) return false
  for (const step of steps) {
    if (step.type === 'set') return false
    if (step.type === 'take' && step.text !== text) return true
    text = applyStep(step, key, text)
  }
  return false
}

const CLEARED: Step = { type: 'set', text: undefined }

function hasRun(step: Step): boolean {
  switch (step.type) {
    case 'set':
      return true
    case 'take':
      return step.text !== undefined
    case 'update':
      return step.ran !== undefined
  }
}

function applyStep(step: Step, key: string, text: string | undefined): string | undefined {
  switch (step.type) {
    case 'set':
      return step.text
    case 'take':
      return text === step.text ? undefined : text
    case 'update':
      if (step.ran && step.ran.input === text) return step.ran.output
      return toJsonText(key, runUpdate(step.fn, parse(text)))
  }
}

/** The value of a JSON text, freshly made; `undefined` for no text. */
export function parse(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text)
}
