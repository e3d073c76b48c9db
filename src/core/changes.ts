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
  readonly #steps = new Map<string, Step[]>()

  get isEmpty(): boolean {
    return this.#steps.size === 0 && !this.#cleared && !this.regenerate && !this.timeouts
  }

  get keys(): Iterable<string> {
    return this.#steps.keys()
  }

  add(key: string, step: Step): void {
    const steps = this.#steps.get(key) ?? (this.#cleared ? [{ type: 'set', text: undefined }] : [])
    this.#steps.set(key, step.type === 'set' ? [...leadingTake(steps), step] : [...steps, step])
  }

  remove(key: string, step: Step): void {
    const steps = this.#steps.get(key)?.filter((other) => other !== step) ?? []
    if (steps.length > 0) this.#steps.set(key, steps)
    else this.#steps.delete(key)
  }

  clear(): void {
    this.#cleared = true
    for (const key of this.#steps.keys()) this.add(key, { type: 'set', text: undefined })
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
    for (const step of steps) {
      if (step === until) return { text, reached: true }
      text = applyStep(step, key, text)
    }
    return { text, reached: false }
  }

  /** The base with these changes; `spent` when a value that this request took is no longer there. */
  applyTo(base: SessionTexts): { texts: SessionTexts; changed: boolean; spent: boolean } {
    const texts = this.#cleared ? new Map<string, string>() : new Map(base)
    let spent = false
    for (const [key, steps] of this.#steps) {
      spent ||= steps[0]?.type === 'take' && steps[0].text !== base.get(key)
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

/** A set makes earlier steps moot, but not the claim that a taken value was still there. */
function leadingTake(steps: readonly Step[]): Step[] {
  const [first] = steps
  return first?.type === 'take' ? [first] : []
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
