import { MemcachedError } from './memcached-error.ts'

/**
 * What we use of memcached's binary protocol beyond memjs's framing:
 * https://docs.memcached.org/protocols/binary/
 */
export const Opcode = {
  get: 0x00,
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
export const Status = {
  ok: 0,
  missing: 1,
  taken: 2,
  authenticationFailed: 0x20,
  unknown: 0x81,
  outOfMemory: 0x82,
} as const

export const HEADER_BYTES = 24
/** Where the header holds the version, in memcached's words CAS. */
const VERSION_OFFSET = 16
const FLAGS_BYTES = 4
const REQUEST_MAGIC = 0x80_00_00_00
/** The most that memcached's `-I` can be set to. */
export const LARGEST_ITEM: number = 2 ** 30
/** What a reply may hold besides the value: flags, or the text of an error. */
const REPLY_OVERHEAD_BYTES = 1024

/** One request, as memcached's binary protocol has it. */
export interface Request {
  opcode: number
  /** ASCII. */
  key: string
  /** In seconds; storing takes four bytes of flags before it, which sessions do not use. */
  ttl?: number | undefined
  value?: Uint8Array
  /** The CAS that the stored item must have. */
  version?: Uint8Array
}

/**
 * The request's bytes; `opaque` is an unsigned 32-bit number that the reply repeats. One allocation, where memjs's own
 * `makeRequestBuffer` takes five: `npm run client` in bench/ measures both clients.
 */
export function encodeRequest({ opcode, key, ttl, value, version }: Request, opaque: number): Buffer {
  const extrasLength = ttl === undefined ? 0 : value === undefined ? 4 : 8
  const keyStart = HEADER_BYTES + extrasLength
  const valueStart = keyStart + key.length
  const length = valueStart + (value?.length ?? 0)
  const bytes = Buffer.allocUnsafe(length)
  bytes.writeUInt32BE(REQUEST_MAGIC + (opcode << 16) + key.length, 0)
  bytes.writeUInt32BE(extrasLength << 24, 4)
  bytes.writeUInt32BE(length - HEADER_BYTES, 8)
  bytes.writeUInt32BE(opaque, 12)
  if (version) bytes.set(version, VERSION_OFFSET)
  else bytes.fill(0, VERSION_OFFSET, HEADER_BYTES)
  if (extrasLength === 8) bytes.writeUInt32BE(0, HEADER_BYTES)
  if (ttl !== undefined) bytes.writeUInt32BE(expiry(ttl), keyStart - 4)
  bytes.write(key, keyStart, 'latin1')
  if (value) bytes.set(value, valueStart)
  return bytes
}

const LONGEST_RELATIVE_EXPIRY = 30 * 24 * 60 * 60
const LATEST_EXPIRY = 2 ** 32 - 1

/**
 * A time to live as memcached reads it: up to 30 days in seconds, beyond that as a Unix time. Sent as they are, 31 days
 * would be a day in 1970: stored, and gone (M7).
 */
export function expiry(ttl: number, nowSeconds: number = Math.ceil(Date.now() / 1000)): number {
  return ttl <= LONGEST_RELATIVE_EXPIRY ? ttl : Math.min(nowSeconds + ttl, LATEST_EXPIRY)
}

/** One reply: a view on the bytes that the socket read, which copies nothing. */
export class Reply {
  readonly #bytes: Buffer
  readonly #start: number

  /** At least a whole header must be there. */
  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes
    this.#start = start
  }

  get opcode(): number {
    return this.#bytes[this.#start + 1]!
  }

  get status(): number {
    return this.#bytes.readUInt16BE(this.#start + 6)
  }

  /** Where the next reply begins. */
  get end(): number {
    return this.#start + HEADER_BYTES + this.#bytes.readUInt32BE(this.#start + 8)
  }

  /** 8 bytes. */
  get version(): Buffer {
    return this.#bytes.subarray(this.#start + VERSION_OFFSET, this.#start + HEADER_BYTES)
  }

  get key(): Buffer {
    return this.#bytes.subarray(this.#keyStart, this.#valueStart)
  }

  get value(): Buffer {
    return this.#bytes.subarray(this.#valueStart, this.end)
  }

  /** STAT alone is answered in many replies; the last one has no key. */
  get isLast(): boolean {
    return this.opcode !== Opcode.stat || this.#keyStart === this.#valueStart
  }

  /** What is wrong with the header of a reply to this request (M3), if something is: its lengths cannot be trusted then. */
  mismatchWith(request: Buffer): string | undefined {
    const bytes = this.#bytes
    if (bytes[this.#start] !== 0x81) return 'magic'
    if (this.opcode !== request[1]) return 'opcode'
    if (bytes.readUInt32BE(this.#start + 12) !== request.readUInt32BE(12)) return 'opaque'
    if (this.#valueStart > this.end) return 'lengths'
    if (this.end - this.#start > LARGEST_ITEM + REPLY_OVERHEAD_BYTES) return 'too long'
    // What stands before a value must be its flags: otherwise a part of them, or all, would be given out with it.
    const before = this.status === Status.ok ? FLAGS_BYTES : 0
    const isRead = this.opcode === Opcode.get || this.opcode === Opcode.getAndTouch
    if (isRead && this.#valueStart !== this.#start + HEADER_BYTES + before) return 'extras or key'
    return undefined
  }

  get #keyStart(): number {
    return this.#start + HEADER_BYTES + this.#bytes[this.#start + 4]!
  }

  get #valueStart(): number {
    return this.#keyStart + this.#bytes.readUInt16BE(this.#start + 2)
  }
}

/** One request, and who waits for what becomes of it. */
export interface Exchange {
  request: Buffer
  answer: (reply: Reply) => void
  fail: (error: Error) => void
  /** When it must be answered; set at the end of its event-loop turn. */
  deadline?: number
}

/** What a status other than success means. */
export function refusal(status: number): MemcachedError {
  if (status === Status.outOfMemory) return new MemcachedError('ERR_OUT_OF_MEMORY')
  return new MemcachedError('ERR_REFUSED', REFUSALS[status] ?? `status 0x${status.toString(16)}`)
}

const REFUSALS: Record<number, string> = {
  0x03: 'value too large',
  0x04: 'invalid arguments',
  0x05: 'not stored',
  0x81: 'unknown command',
  0x83: 'not supported',
  0x84: 'internal error',
  0x85: 'busy',
  0x86: 'temporary failure',
}
