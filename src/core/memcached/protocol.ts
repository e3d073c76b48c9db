import { Header, type Response } from 'memjs'

/**
 * What we use of memcached's binary protocol beyond memjs's framing:
 * https://docs.memcached.org/protocols/binary/
 */
export const Opcode = {
  set: 0x01,
  add: 0x02,
  replace: 0x03,
  delete: 0x04,
  noop: 0x0a,
  stat: 0x10,
  getAndTouch: 0x1d,
  authenticate: 0x21,
} as const

/** Of replies. */
export const Status = { ok: 0, missing: 1, taken: 2, authenticationFailed: 0x20, unknown: 0x81 } as const

export const HEADER_BYTES = 24
/** Where the header holds the version, in memcached's words CAS. */
export const VERSION_OFFSET = 16
const FLAGS_BYTES = 4
/** The most that memcached's `-I` can be set to. */
export const LARGEST_ITEM: number = 2 ** 30
/** What a reply may hold besides the value: flags, or the text of an error. */
const REPLY_OVERHEAD_BYTES = 1024

/** Says what is wrong with a reply's header (M3); memjs's `parseMessage` would wait for ever for impossible lengths. */
export function findMismatch(reply: Buffer, request: Buffer): string | undefined {
  const { magic, opcode, opaque, status, extrasLength, keyLength, totalBodyLength } = Header.fromBuffer(reply)
  if (magic !== 0x81) return 'magic'
  if (opcode !== request[1]) return 'opcode'
  if (opaque !== request.readUInt32BE(12)) return 'opaque'
  if (extrasLength + keyLength > totalBodyLength) return 'lengths'
  if (totalBodyLength > LARGEST_ITEM + REPLY_OVERHEAD_BYTES) return 'too long'
  // What stands before a value must be its flags: otherwise a part of them, or all, would be given out with it.
  const before = status === Status.ok ? FLAGS_BYTES : 0
  if (opcode === Opcode.getAndTouch && (extrasLength !== before || keyLength > 0)) return 'extras or key'
  return undefined
}

/** STAT alone is answered in many replies; the last one has no key. */
export function isLast({ header: { opcode, keyLength } }: Response): boolean {
  return opcode !== Opcode.stat || keyLength === 0
}

/** What a status other than success means, in words. */
export function refusal(status: number): string {
  return REFUSALS[status] ?? `status 0x${status.toString(16)}`
}

const REFUSALS: Record<number, string> = {
  0x03: 'value too large',
  0x04: 'invalid arguments',
  0x05: 'not stored',
  0x81: 'unknown command',
  0x82: 'out of memory',
  0x83: 'not supported',
  0x84: 'internal error',
  0x85: 'busy',
  0x86: 'temporary failure',
}
