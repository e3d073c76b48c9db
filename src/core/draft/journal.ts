import { SessionDataError } from '../errors.ts'
import type { LiveRecord, SessionTexts } from '../record/record.ts'
import type { HeldValue } from './held-value.ts'
import { toJsonText } from './json.ts'

/**
 * One thing that a request did to its session; what is on a key works on JSON texts, of which `undefined` is no value.
 * `deadline` in milliseconds since the epoch.
 */
export type Step =
  | KeyStep
  | { type: 'clear' }
  | { type: 'regenerate' }
  | { type: 'timeouts'; timeouts: Partial<Timeouts> }
  | SignInStep

type KeyStep = { type: 'set'; key: string; text: string | undefined } | UpdateStep | TakeStep

/** `first` is what its first run met and gave: what its caller was told, and whether that still holds. */
export interface UpdateStep {
  type: 'update'
  key: string
  fn: (current: never) => unknown
  first?: { input: string | undefined; value: unknown; output: string | undefined }
}

/** `first` is the value that it returned: only that is deleted. */
export interface TakeStep {
  type: 'take'
  key: string
  first?: { text: string | undefined }
}

/**
 * `isOverAnother`, once it is known whose session it was: then only what it keeps comes along (E11). `heldBefore`, until
 * then and for the draft alone: what the handler held.
 */
export interface SignInStep {
  type: 'sign-in'
  userId: string
  label: string | undefined
  keep: ReadonlySet<string>
  timeouts: Timeouts
  isOverAnother?: boolean
  heldBefore?: ReadonlyMap<string, HeldValue> | undefined
}

export type Timeouts = Pick<LiveRecord, 'deadline' | 'idleTimeout' | 'persistent'>

/** What a request did between two saves, in order, on its way to the store. */
export interface Journal {
  readonly writeId: string
  readonly steps: readonly Step[]
  /** The generation on which a write went out whose reply never came. */
  unanswered?: number | undefined
}

/**
 * The steps done to a base; a key without steps keeps what it has there, and nothing is ever merged inside a value.
 * `spent` when a value that a step took is another one by now, or gone. Pure, as far as the functions of updates are.
 */
export function replay(
  steps: readonly Step[],
  base: SessionTexts,
): { texts: SessionTexts; changed: boolean; spent: boolean } {
  const wipes = steps.filter(isOnEveryKey)
  const texts = new Map(base)
  for (const key of wipes.length === 0 ? [] : base.keys()) {
    if (wipes.some((step) => sets(step, key))) texts.delete(key)
  }
  let spent = false
  for (const [key, own] of stepsByKey(steps)) {
    spent ||= isSpent(own, key, base.get(key))
    const text = textAfter(own, key, base.get(key))
    if (text === undefined) texts.delete(key)
    else texts.set(key, text)
  }
  return { texts, changed: !areEqual(texts, base), spent }
}

/** What the key's text is after the steps. What stood before the last set is moot, and no update there runs again. */
export function textAfter(steps: readonly Step[], key: string, text: string | undefined): string | undefined {
  const start = steps.findLastIndex((step) => sets(step, key))
  return steps.slice(Math.max(0, start)).reduce((before, step) => applyStep(step, key, before), text)
}

/** The key's text after one step. */
export function applyStep(step: Step, key: string, text: string | undefined): string | undefined {
  if (isOnEveryKey(step)) return sets(step, key) ? undefined : text
  if (!('key' in step) || step.key !== key) return text
  switch (step.type) {
    case 'set':
      return step.text
    case 'take':
      return !step.first || step.first.text === text ? undefined : text
    case 'update':
      return step.first && step.first.input === text ? step.first.output : runUpdate(step, text).output
  }
}

/** What an update makes of a value; throws what its function throws, and `TypeError` when that is not synchronous. */
export function runUpdate({ key, fn }: UpdateStep, input: string | undefined): Required<UpdateStep>['first'] {
  const value = fn(parse(input) as never)
  if (typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function') {
    // Nobody else will ever look at it.
    ;(value as PromiseLike<unknown>).then(undefined, () => {})
    throw new TypeError('update: expected a synchronous function, got one that returns a promise')
  }
  return { input, value, output: toJsonText(key, value) }
}

/** Whether the session is to have a new token. */
export function regenerates(steps: readonly Step[]): boolean {
  return steps.some(({ type }) => type === 'regenerate' || type === 'sign-in')
}

/** The last sign-in. */
export function signInOf(steps: readonly Step[]): SignInStep | undefined {
  return steps.findLast((step) => step.type === 'sign-in')
}

export function setsTimeouts(steps: readonly Step[]): boolean {
  return steps.some(({ type }) => type === 'timeouts')
}

/** The timeouts after the steps: a sign-in begins with its own, `setTimeouts` changes what it names. */
export function timeoutsAfter(steps: readonly Step[], before: Timeouts): Timeouts {
  let { deadline, idleTimeout, persistent } = before
  for (const step of steps) {
    if (step.type === 'sign-in') ({ deadline, idleTimeout, persistent } = step.timeouts)
    if (step.type === 'timeouts') {
      ;({ deadline = deadline, idleTimeout = idleTimeout, persistent = persistent } = step.timeouts)
    }
  }
  return { deadline, idleTimeout, persistent }
}

/** What is left to do where another request has signed the same user in (E7): what a sign-in does away with is behind it. */
export function stepsBesideSignIn(steps: readonly Step[]): Step[] {
  const start = steps.findLastIndex((step) => step.type === 'sign-in' && step.isOverAnother)
  const last = steps.findLastIndex(({ type }) => type === 'sign-in')
  return steps.filter(
    ({ type }, index) =>
      index > start && type !== 'sign-in' && type !== 'regenerate' && (type !== 'timeouts' || index > last),
  )
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

/** A clear is a step on every key, and so is a sign-in. */
function stepsByKey(steps: readonly Step[]): Map<string, Step[]> {
  const byKey = new Map<string, Step[]>()
  const onEvery: Step[] = []
  for (const step of steps) {
    if (isOnEveryKey(step)) {
      onEvery.push(step)
      for (const own of byKey.values()) own.push(step)
    } else if ('key' in step) {
      const own = byKey.get(step.key)
      if (own) own.push(step)
      else byKey.set(step.key, [...onEvery, step])
    }
  }
  return byKey
}

/** Whether what was taken is another value by now, or gone. What the request had set itself is its own. */
function isSpent(steps: readonly Step[], key: string, text: string | undefined): boolean {
  if (!steps.some(({ type }) => type === 'take')) return false
  for (const step of steps) {
    if (sets(step, key)) return false
    if (step.type === 'take' && step.first?.text !== undefined && step.first.text !== text) return true
    text = applyStep(step, key, text)
  }
  return false
}

function isOnEveryKey({ type }: Step): boolean {
  return type === 'clear' || type === 'sign-in'
}

/** Whether what the key was before is moot. */
export function sets(step: Step, key: string): boolean {
  switch (step.type) {
    case 'clear':
      return true
    case 'sign-in':
      return step.isOverAnother === true && !step.keep.has(key)
    case 'set':
      return step.key === key
    default:
      return false
  }
}

function areEqual(left: SessionTexts, right: SessionTexts): boolean {
  if (left.size !== right.size) return false
  for (const [key, text] of left) if (right.get(key) !== text) return false
  return true
}
