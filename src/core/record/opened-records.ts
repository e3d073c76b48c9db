import type { RecordKey } from '../crypto/keyring.ts'
import { strictUtf8 } from '../crypto/primitives.ts'

/** Over both generations. */
const MOST_RECORDS = 10_000
const MOST_BYTES = 16_777_216
const KEPT_MS = 60_000

class Opened {
  /** Nobody else's: the sealed bytes, and behind them the text in UTF-8. */
  readonly bytes: Uint8Array
  sealedLength = 0
  textLength = 0
  /** What sealed it, where it was sealed here: deriving it anew would be a tenth of the next write. */
  recordKey: RecordKey | undefined
  /** By a clock that only goes forward. */
  openedAt = 0
  isRecalled = false
  /** What the text came to, from the second recall on. */
  value: unknown

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
  }
}

const utf8 = new TextEncoder()

/**
 * What was sealed or opened lately, so that the same bytes are not opened again: opening is half of a read. Nothing is
 * trusted: the store is asked each time, and only bytes that are equal to the last one mean what they meant. One per
 * manager, since another may not have the secret.
 *
 * Two generations, of which the older one goes as a whole: the least recently used go first, nothing is looked through
 * for it, and no timer is needed.
 */
export class OpenedRecords {
  readonly #now: () => number
  #recent = new Map<string, Opened>()
  #before = new Map<string, Opened>()
  #recentBytes = 0
  #recentSince = 0

  /** `now` in milliseconds, never going back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /**
   * What these very bytes held when they were opened for the store key, less than a minute ago, as `decode` understands it.
   * It is not to be changed, since others are given the same, and a store key has one `decode` for good.
   */
  recall<Value>(
    storeKey: string,
    sealed: Uint8Array,
    decode: (text: string) => Value | undefined,
  ): Value | undefined {
    const now = this.#now()
    if (now - this.#recentSince >= KEPT_MS) this.#turn(now)
    const recent = this.#recent.get(storeKey)
    const opened = recent ?? this.#before.get(storeKey)
    if (!opened || now - opened.openedAt >= KEPT_MS) return undefined
    const { bytes, sealedLength, textLength } = opened
    if (!areEqual(bytes.subarray(0, sealedLength), sealed)) return undefined
    if (!recent) this.#put(storeKey, opened)
    if (opened.value !== undefined) return opened.value as Value
    const value = decode(strictUtf8.decode(bytes.subarray(sealedLength, sealedLength + textLength)))
    // Not at once: what each request writes anew would outlive it for nothing.
    if (opened.isRecalled) opened.value = value
    opened.isRecalled = true
    return value
  }

  /**
   * Copies both, since a socket may read into the bytes, and a store may change what it was given. Into the memory of the
   * last ones where they fit: collecting what outlived its request was more work than sealing.
   *
   * @param text - in UTF-8 no longer than what is sealed of it
   */
  remember(storeKey: string, sealed: Uint8Array, text: string, recordKey?: RecordKey): void {
    // The next write, a few bytes longer or shorter, nearly always finds as much.
    const size = 2 ** Math.ceil(Math.log2(2 * sealed.length))
    if (size > MOST_BYTES / 2) return this.forget(storeKey)
    const recent = this.#recent.get(storeKey)
    const opened = recent?.bytes.length === size ? recent : new Opened(size)
    opened.bytes.set(sealed)
    opened.sealedLength = sealed.length
    opened.textLength = utf8.encodeInto(text, opened.bytes.subarray(sealed.length)).written
    opened.recordKey = recordKey
    opened.openedAt = this.#now()
    opened.isRecalled = false
    opened.value = undefined
    if (opened !== recent) this.#put(storeKey, opened)
  }

  /** What seals the session's records, where one was sealed less than a minute ago. */
  keyOf(storeKey: string): RecordKey | undefined {
    const opened = this.#recent.get(storeKey) ?? this.#before.get(storeKey)
    return opened && this.#now() - opened.openedAt < KEPT_MS ? opened.recordKey : undefined
  }

  forget(storeKey: string): void {
    const recent = this.#recent.get(storeKey)
    if (recent) this.#recentBytes -= recent.bytes.length
    this.#recent.delete(storeKey)
    this.#before.delete(storeKey)
  }

  #put(storeKey: string, opened: Opened): void {
    const size = opened.bytes.length
    // Not deleted: a Map makes itself anew after a few keys that were deleted and set again.
    const replaced = this.#recent.get(storeKey)
    if (replaced) this.#recentBytes -= replaced.bytes.length
    this.#before.delete(storeKey)
    if (this.#recent.size >= MOST_RECORDS / 2 || this.#recentBytes + size > MOST_BYTES / 2) {
      this.#turn(this.#now())
    }
    this.#recent.set(storeKey, opened)
    this.#recentBytes += size
  }

  #turn(now: number): void {
    this.#before = this.#recent
    this.#recent = new Map()
    this.#recentBytes = 0
    this.#recentSince = now
  }
}

/** By Buffer where the runtime has one: a tenth of a warm read went into the loop. */
function areEqual(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  if (typeof Buffer !== 'undefined') return Buffer.compare(left, right) === 0
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false
  return true
}
