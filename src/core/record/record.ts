import { base64url, is32Bytes } from '../crypto/base64url.ts'
import type { MarkKeys } from '../crypto/keyring.ts'
import { randomBytes } from '../crypto/random.ts'
import { isEntryId, isTime, isTimeout } from './mark.ts'

/** Session data as the record holds it: each top-level key with its value as JSON text. */
export type SessionTexts = ReadonlyMap<string, string>

/** A session that lives. Times are milliseconds since the epoch, timeouts seconds. */
export interface LiveRecord {
  /** The absolute timeout's end. */
  deadline: number
  /** Where the session overrides the manager's; `false` is none. */
  idleTimeout?: number | false | undefined
  /** Where the session overrides the manager's. */
  persistent?: boolean | undefined
  /** By `signIn`; none for an anonymous session. Never another's: a sign-in begins a record of its own. */
  signedIn?: SignedIn | undefined
  /** How many times the record was written. */
  generation: number
  /**
   * The ids of the last writes, newest first, each with a space behind it; the first one made this generation. One text,
   * since a session that is written often keeps many, and parsing 100 of them as a list costs as much as all the rest.
   */
  writeIds: string
  /** How many of them are new; the rest is older than `newSince`, and goes as a whole. */
  newIds: number
  newSince: number
  texts: SessionTexts
}

/** Who signed in, and where his sessions are listed. */
export interface SignedIn {
  userId: string
  /** Of this session's entry in the mark. */
  entryId: string
  mark: MarkKeys
}

/** What stays, for a while, of a session that was ended. */
export interface Tombstone {
  ended: 'destroyed' | 'regenerated'
  endedAt: number
  writeId: string
  successor?: Successor | undefined
}

/** The session that goes on after `regenerateId` or `signIn`, and whose it is. For nobody but who is to end or join it (B5). */
export interface Successor {
  token: string
  userId?: string | undefined
}

const MAX_WRITE_IDS = 256
/** In base64url, and a space. */
const WRITE_ID_LENGTH = 12
/** Who waits for a reply waits 2 s for his turn and 0.6 s for the store at most. */
const LONGEST_DOUBT_MS = 3_000
const WRITE_ID_BYTES = 8

/** Tells one write from all others, so that a write whose reply was lost is recognised. */
export function generateWriteId(): string {
  return base64url(randomBytes(WRITE_ID_BYTES))
}

/** What a record says besides its data and its writes. */
export type Terms = Pick<LiveRecord, 'deadline' | 'idleTimeout' | 'persistent' | 'signedIn'>

/**
 * The record after one more write. It keeps the ids of the last three seconds, and up to three seconds more, at most 256.
 * A clock that is behind forgets nothing; one that is ahead forgets too early, which `lastForgotten` tells.
 */
export function nextRecord(
  record: LiveRecord,
  writeId: string,
  now: number,
  texts: SessionTexts,
  terms: Terms = record,
): LiveRecord {
  const age = now - record.newSince
  const startsAnew = age >= LONGEST_DOUBT_MS
  const kept = !startsAnew ? MAX_WRITE_IDS : age < 2 * LONGEST_DOUBT_MS ? record.newIds : 0
  const older = record.writeIds.slice(0, Math.min(kept, MAX_WRITE_IDS - 1) * WRITE_ID_LENGTH)
  return {
    deadline: terms.deadline,
    idleTimeout: terms.idleTimeout,
    persistent: terms.persistent,
    signedIn: terms.signedIn,
    generation: record.generation + 1,
    writeIds: `${writeId} ${older}`,
    newIds: startsAnew ? 1 : record.newIds + 1,
    newSince: startsAnew ? now : record.newSince,
    texts,
  }
}

/** Whether one of the writes that the record remembers had this id. */
export function remembers({ writeIds }: LiveRecord, writeId: string): boolean {
  return writeIds.includes(`${writeId} `)
}

/** The generation of the newest write that the record no longer remembers. */
export function lastForgotten({ generation, writeIds }: LiveRecord): number {
  return generation - writeIds.length / WRITE_ID_LENGTH
}

/** Rounded up, and never 0, which is for ever to memcached. */
export function secondsUntil(deadline: number, now: number): number {
  return Math.max(1, Math.ceil((deadline - now) / 1000))
}

/**
 * The envelope and the names of the keys as JSON in the first line, then each key's value in a line of its own.
 * JSON.stringify writes no line breaks, so reading a session is one split, and a value that no request asks for is never
 * parsed. No key can meddle with the envelope, `__proto__` included.
 */
export function encodeRecord(record: LiveRecord | Tombstone): string {
  if ('ended' in record) return JSON.stringify(record)
  const { deadline, idleTimeout, persistent, signedIn, generation, writeIds, newIds, newSince, texts } =
    record
  const keys = [...texts.keys()]
  // Named one by one, here and below: an object that is spread and added to takes ten times as long.
  const envelope = {
    deadline,
    idleTimeout,
    persistent,
    signedIn,
    generation,
    writeIds,
    newIds,
    newSince,
    keys,
  }
  return [JSON.stringify(envelope satisfies Envelope), ...texts.values()].join('\n')
}

/**
 * `undefined` for a text that is no record. The seal shows that somebody with the secret wrote them, not that this
 * version would have: every field is what it should be, since a store refuses a time to live that is no number.
 */
export function decodeRecord(text: string): LiveRecord | Tombstone | undefined {
  try {
    const lines = text.split('\n')
    const envelope = JSON.parse(lines[0]!) as Tombstone | Envelope
    if ('ended' in envelope) return isTombstone(envelope) ? envelope : undefined
    if (!isEnvelope(envelope) || envelope.keys.length !== lines.length - 1) return undefined
    const { deadline, idleTimeout, persistent, signedIn, generation, writeIds, newIds, newSince, keys } =
      envelope
    const texts = new Map<string, string>()
    for (let index = 0; index < keys.length; index++) texts.set(keys[index]!, lines[index + 1]!)
    return { deadline, idleTimeout, persistent, signedIn, generation, writeIds, newIds, newSince, texts }
  } catch {
    return undefined
  }
}

/** The first line. */
interface Envelope extends Omit<LiveRecord, 'texts'> {
  keys: string[]
}

function isTombstone({ ended, endedAt, successor }: Tombstone): boolean {
  const isEnd = ended === 'destroyed' || ended === 'regenerated'
  if (!isEnd || !isTime(endedAt)) return false
  if (successor === undefined) return true
  return isKey(successor.token) && (successor.userId === undefined || isUserId(successor.userId))
}

function isEnvelope(envelope: Envelope): boolean {
  const { deadline, idleTimeout, persistent, signedIn, generation, writeIds, newIds, newSince, keys } =
    envelope
  return (
    isTime(deadline) &&
    Number.isSafeInteger(generation) &&
    typeof writeIds === 'string' &&
    Number.isSafeInteger(newIds) &&
    isTime(newSince) &&
    (idleTimeout === undefined || idleTimeout === false || isTimeout(idleTimeout)) &&
    (persistent === undefined || typeof persistent === 'boolean') &&
    (signedIn === undefined || isSignedIn(signedIn)) &&
    Array.isArray(keys) &&
    keys.every((key) => typeof key === 'string')
  )
}

function isSignedIn({ userId, entryId, mark }: SignedIn): boolean {
  const { keyId, storeKey, sealKey } = mark
  return (
    isUserId(userId) && isEntryId(entryId) && typeof keyId === 'string' && [storeKey, sealKey].every(isKey)
  )
}

function isUserId(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function isKey(value: unknown): boolean {
  return typeof value === 'string' && is32Bytes(value)
}
