import { SessionDataError } from '../errors.ts'
import { toJsonText } from './json.ts'
import {
  generateWriteId,
  type EnvelopeChanges,
  type LiveRecord,
  type SessionTexts,
  type Subject,
} from '../record/record.ts'

/** What {@link Session.setTimeouts} asked for; `deadline` in milliseconds since the epoch. */
export interface TimeoutChanges {
  idleTimeout?: number | false
  deadline?: number
  persistent?: boolean
}

/**
 * One step on one key, working on JSON texts; `undefined` is no value. An update and a take remember what they did the
 * first time: to whoever called them, and to know whether it still holds.
 */
export type Step =
  | { type: 'set'; text: string | undefined }
  | { type: 'update'; fn: (current: never) => unknown; first?: FirstUpdate }
  | { type: 'take'; first?: { text: string | undefined } }

interface FirstUpdate {
  input: string | undefined
  value: unknown
  output: string | undefined
}

/**
 * What one request did to a session: steps in order for each key, and how to replay them on a newer base. A key
 * without steps keeps what the newest record says; nothing is ever merged inside a value.
 */
export class Changes {
  readonly writeId: string = generateWriteId()
  regenerate = false
  timeouts: TimeoutChanges | undefined
  /** The id that {@link Session.setSubject} was given, and the mark that the commit found for it. */
  subject: string | undefined
  mark: Subject | undefined
  /** On its way to the store, so that it may have been applied: later changes go into another batch. */
  sent = false
  /** The generation on which a write went out whose reply never came. */
  unanswered: number | undefined
  #cleared = false
  /** In order, the moot ones too: whoever waits for them sees what stood there, and a take stays a claim. */
  readonly #steps = new Map<string, Step[]>()

  get isEmpty(): boolean {
    return (
      this.#steps.size === 0 &&
      !this.#cleared &&
      !this.regenerate &&
      !this.timeouts &&
      this.subject === undefined
    )
  }

  /** What is changed besides the data. */
  get envelope(): EnvelopeChanges | undefined {
    if (!this.timeouts && !this.mark) return undefined
    return { ...this.timeouts, ...(this.mark && { subject: this.mark }) }
  }

  changesEnvelope({ subject }: LiveRecord): boolean {
    return this.timeouts !== undefined || (this.mark !== undefined && this.mark.epoch !== subject?.epoch)
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

  clear(): void {
    this.#cleared = true
    for (const steps of this.#steps.values()) steps.push(CLEARED)
  }

  endsWith(key: string, step: Step): boolean {
    return this.#steps.get(key)?.at(-1) === step
  }

  /** The key's text after these changes, or after the step `last`. */
  textAfter(key: string, text: string | undefined, last?: Step): string | undefined {
    const steps = this.#steps.get(key)
    if (!steps) return this.#cleared ? undefined : text
    const upTo = last ? steps.slice(0, steps.indexOf(last) + 1) : steps
    const start = upTo.findLastIndex(({ type }) => type === 'set')
    return upTo.slice(Math.max(0, start)).reduce((before, step) => applyStep(step, key, before), text)
  }

  /** The base with these changes; `spent` when a value that this request took is no longer there. */
  applyTo(base: SessionTexts): { texts: SessionTexts; changed: boolean; spent: boolean } {
    const texts = this.#cleared ? new Map<string, string>() : new Map(base)
    let spent = false
    for (const [key, steps] of this.#steps) {
      spent ||= isSpent(steps, key, base.get(key))
      const text = this.textAfter(key, base.get(key))
      if (text === undefined) texts.delete(key)
      else texts.set(key, text)
    }
    return { texts, changed: !areEqual(texts, base), spent }
  }
}

function areEqual(left: SessionTexts, right: SessionTexts): boolean {
  if (left.size !== right.size) return false
  for (const [key, text] of left) if (right.get(key) !== text) return false
  return true
}

const CLEARED: Step = { type: 'set', text: undefined }

/** Whether a value that was taken is another one by now, or gone. A set in between makes it the request's own. */
function isSpent(steps: readonly Step[], key: string, text: string | undefined): boolean {
  if (!steps.some(({ type }) => type === 'take')) return false
  for (const step of steps) {
    if (step.type === 'set') return false
    if (step.type === 'take' && step.first?.text !== undefined && step.first.text !== text) return true
    text = applyStep(step, key, text)
  }
  return false
}

function applyStep(step: Step, key: string, text: string | undefined): string | undefined {
  switch (step.type) {
    case 'set':
      return step.text
    case 'take':
      step.first ??= { text }
      return text === step.first.text ? undefined : text
    case 'update': {
      if (step.first && step.first.input === text) return step.first.output
      const value = runUpdate(step.fn, parse(text))
      const output = toJsonText(key, value)
      step.first ??= { input: text, value, output }
      return output
    }
  }
}

function runUpdate(fn: (current: never) => unknown, current: unknown): unknown {
  const value = fn(current as never)
  if (typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function') {
    // Nobody else will ever look at it.
    ;(value as PromiseLike<unknown>).then(undefined, () => {})
    throw new TypeError('update: expected a synchronous function, got one that returns a promise')
  }
  return value
}

/** The value of a JSON text, freshly made; `undefined` for no text. */
export function parse(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    // The runtime's own error would show the text. Only who has the secret can have sealed it.
    throw new SessionDataError('ERR_SESSION_NOT_SERIALIZABLE', 'a stored value is no JSON')
  }
}
