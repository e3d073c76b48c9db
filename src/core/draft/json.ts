import { className, isPlain, shownKey } from '../check.ts'
import { SessionDataError } from '../errors.ts'

/**
 * What a session can hold; anything else is refused at compile time by a type that says why. `unknown` and `any` are
 * checked at the commit.
 */
export type Json<Value> = unknown extends Value
  ? Value
  : [Refusal<Value>] extends [never]
    ? Value extends string | number | boolean | null | undefined
      ? Value
      : { [Key in keyof Value]: Json<Value[Key]> }
    : Refusal<Value>

/** Never, or why. Of a union the whole is refused: beside a `string`, a reason would vanish in it. */
type Refusal<Value> = Value extends bigint | symbol
  ? 'a session holds JSON: store a string instead of a bigint or symbol'
  : Value extends (...args: never) => unknown
    ? 'a session holds JSON: functions cannot be stored'
    : Value extends Date
      ? 'a session holds JSON: store a Date as a number or an ISO string'
      : Value extends ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
        ? 'a session holds JSON: store a Map or Set as an array'
        : Value extends ArrayBufferLike | ArrayBufferView
          ? 'a session holds JSON: store bytes as a base64 string'
          : never

/**
 * The JSON text of a value that came out of `JSON.parse` or could have; `undefined` for `undefined`. `JSON.stringify`
 * alone would turn a Map into `{}`, and NaN or a hole in an array into `null`, in silence.
 *
 * Throws `SessionDataError` naming the path of what cannot be stored.
 */
export function toJsonText(key: string, value: unknown): string | undefined {
  try {
    refuseUnstorable(value, key)
    return JSON.stringify(value)
  } catch (error) {
    if (error instanceof RangeError) throw unstorable(key, 'a value nested too deeply')
    throw error
  }
}

function refuseUnstorable(value: unknown, path: string, ancestors?: Set<object>): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return
    case 'number':
      if (!Number.isFinite(value)) throw unstorable(path, String(value))
      return
    case 'object':
      break
    default:
      throw unstorable(path, `a ${typeof value}`)
  }
  if (value === null) return
  ancestors ??= new Set()
  if (ancestors.has(value)) throw unstorable(path, 'a cycle')
  ancestors.add(value)
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      if (item === undefined) throw unstorable(`${path}[${index}]`, 'undefined')
      refuseUnstorable(item, `${path}[${index}]`, ancestors)
    }
  } else {
    if (!isPlain(value)) throw unstorable(path, `an instance of ${className(value)}`)
    for (const [name, item] of Object.entries(value)) refuseUnstorable(item, `${path}.${name}`, ancestors)
  }
  // JSON.stringify obeys one that is not enumerable, too.
  if ('toJSON' in value && typeof value.toJSON === 'function') throw unstorable(path, 'a toJSON')
  ancestors.delete(value)
}

function unstorable(path: string, found: string): SessionDataError {
  return new SessionDataError(
    'ERR_SESSION_NOT_SERIALIZABLE',
    `${shownKey(path)}: expected JSON, got ${found}`,
  )
}
