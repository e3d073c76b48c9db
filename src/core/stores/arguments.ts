import { checkWhole, kindOf } from '../check.ts'
import { SessionDataError } from '../errors.ts'

export function checkTtl(ttl: number): void {
  checkWhole('ttl', ttl, 'whole seconds of 1 or more')
}

/** What bounds the answers of a server. */
export interface Bounds {
  /** Milliseconds from the call to the answer, connecting included. */
  operationTimeoutMs: number
  /** Operations that wait for an answer at one time; beyond it, what begins a request's work fails at once. */
  maxInFlight: number
}

/** A bound among options. */
export function checkBound(option: string, value: number, most: number): number {
  checkWhole(option, value, `a whole number from 1 to ${most}`, most)
  return value
}

/** Milliseconds; a longer timer fires at once. */
export const LONGEST_TIMER: number = 2 ** 31 - 1

export function checkPrefix(keyPrefix: unknown): void {
  if (typeof keyPrefix === 'string' && /^[!-~]*$/.test(keyPrefix)) return
  // Not repeated: where an address forgot the host, it may be the end of a password.
  throw new TypeError(`keyPrefix: expected printable ASCII without spaces, got ${kindOf(keyPrefix)}`)
}

/** The bytes, if the store takes as many. */
export function sized(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (bytes.length <= maxBytes) return bytes
  throw new SessionDataError(
    'ERR_SESSION_TOO_LARGE',
    `the sealed session has ${bytes.length} bytes, more than maxBytes (${maxBytes})`,
  )
}
