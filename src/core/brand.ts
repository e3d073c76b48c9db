/**
 * What managers, sessions and memory stores are known by, where `instanceof` knows only those of this copy of the
 * package: a workspace whose packages each depend on it often has two in one process.
 */
export const MANAGER: unique symbol = Symbol.for('holdfast manager')
export const SESSION: unique symbol = Symbol.for('holdfast session')
export const MEMORY_STORE: unique symbol = Symbol.for('holdfast memory store')

/** Which form of `opener`, `joins` and `commit` a manager and its adapters speak; raised when an older copy would misread. */
export const PROTOCOL = 2

/** The number that a value of this or another copy carries under the brand; `undefined` for what is none. */
export function brandOf(value: unknown, brand: symbol): unknown {
  return (value as Record<symbol, unknown> | null | undefined)?.[brand]
}
