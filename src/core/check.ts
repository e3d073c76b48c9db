/**
 * Refuses what is no plain object, which would pass for no options at all, and an option that is misspelt, or that
 * belongs elsewhere; `cures` says by their names what to write instead.
 */
export function checkNames(
  what: string,
  options: unknown,
  names: readonly string[],
  expected = 'a plain object',
  cures: Readonly<Record<string, string>> = {},
): void {
  if (!isPlain(options)) throw new TypeError(`${what}: expected ${expected}, got ${kindOf(options)}`)
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown === undefined) return
  const cure = Object.hasOwn(cures, unknown) ? `; write ${cures[unknown]}` : ''
  throw new TypeError(`${what}: expected ${names.join(', ')}; got ${unknown}${cure}`)
}

/** Made by a literal, `JSON.parse` or `Object.create(null)`, in whatever realm: test runners have one of their own. */
export function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** Of the prototype, since the instance's own properties are data. */
export function className(value: object): string {
  const { constructor } = Object.getPrototypeOf(value) as { constructor: unknown }
  return (typeof constructor === 'function' && constructor.name) || 'a class'
}

/** Refuses all but whole numbers from 1 to `most`, which `expected` says in words. */
export function checkWhole(what: string, value: unknown, expected: string, most: number = Infinity): void {
  if (typeof value !== 'number') throw wrong(what, expected, value)
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return
  throw new RangeError(`${what}: expected ${expected}, got ${value}`)
}

/** RFC 6265bis §5.7: browsers refuse a cookie whose age is more than 400 days, so no session lives longer. */
export const LONGEST_AGE_SECONDS = 34_560_000
const UP_TO_400_DAYS = `whole seconds from 1 to ${LONGEST_AGE_SECONDS} (400 days)`

export function checkIdleTimeout(option: string, value: number | false): void {
  if (value !== false) checkWhole(option, value, `false or ${UP_TO_400_DAYS}`, LONGEST_AGE_SECONDS)
}

/** A load restarts the manager's first: were its second question to fail, a shorter one would not hold (C5). */
export function checkOwnIdleTimeout(value: number | false, managers: number | false): void {
  checkIdleTimeout('idle', value)
  if (value === false || (managers !== false && value >= managers)) return
  const least =
    managers === false ? 'false, as the manager has it' : `at least the manager's ${managers} seconds`
  throw new RangeError(`idle: expected ${least}, got ${value}; for a stricter area make a manager of its own`)
}

export function checkAbsoluteTimeout(option: string, value: number): void {
  checkWhole(option, value, UP_TO_400_DAYS, LONGEST_AGE_SECONDS)
}

/** Characters of a label; a mark with 100 of them is read at every load. */
export const LONGEST_LABEL = 64

/** Not repeated: it names a user. */
export function checkUserId(id: unknown): void {
  if (typeof id === 'string' && id !== '') return
  const got = id === '' ? 'an empty one' : kindOf(id)
  throw new TypeError(`userId: expected a string that is not empty, got ${got}`)
}

/** Not repeated: it may name a place. */
export function checkLabel(label: unknown): void {
  if (label === undefined) return
  const expected = `a string of at most ${LONGEST_LABEL} characters`
  if (typeof label !== 'string') throw new TypeError(`label: expected ${expected}, got ${kindOf(label)}`)
  const { length } = [...label]
  if (length > LONGEST_LABEL) throw new RangeError(`label: expected ${expected}, got ${length}`)
}

export function checkBoolean(option: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') throw wrong(option, 'true or false', value)
  return value
}

/** Says what was expected and what came; not for what may be a secret. */
export function wrong(what: string, expected: string, value: unknown): TypeError {
  const isShown = typeof value === 'string' || typeof value === 'number'
  const got = isShown ? JSON.stringify(value) : kindOf(value)
  return new TypeError(`${what}: expected ${expected}, got ${got}`)
}

/** A key of somebody else's choosing, fit for a message: it can neither forge a line of a log nor fill it. */
export function shownKey(key: string): string {
  const shown = key.length > LONGEST_SHOWN ? `${key.slice(0, LONGEST_SHOWN)}…` : key
  return shown.replaceAll(
    // oxlint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

const LONGEST_SHOWN = 200

/** Says what a value is without showing what it holds: it may be a secret in the wrong place. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return 'an array'
  if (typeof value !== 'object') return `a ${typeof value}`
  if (isPlain(value)) return 'an object'
  if ('then' in value) return 'a promise; await it'
  return `an instance of ${className(value)}`
}
