import { LONGEST_LABEL } from '../check.ts'
import { base64url } from '../crypto/base64url.ts'
import { randomBytes } from '../crypto/random.ts'

/** A user's record: the list of his sessions. One is live only while its entry is listed (E9). */
export interface Mark {
  /** The latest `until` that it ever listed: so long it is kept, since a mark that is lost signs its user out. */
  until: number
  /** No sign-in that it ever listed is older: one that is, was in a list that was lost. */
  began?: number | undefined
  entries: readonly MarkEntry[]
}

/** One session of a user. Times are milliseconds since the epoch. */
export interface MarkEntry {
  id: string
  label: string | undefined
  signedInAt: number
  /** To ten minutes. */
  lastSeenAt: number
  /** Seconds of its idle timeout; `false` for none. */
  idle: number | false
  /** Its absolute timeout's end. */
  until: number
  /** Until it is seen again: what it was signed in over, since another sign-in over the same is taken back. */
  over?: string | undefined
}

/** What a load may leave `lastSeenAt` behind, so that not every one writes. */
export const SEEN_STEP_MS = 600_000
/** Servers' clocks differ: none of them ends a session that the store still has. */
const GRACE_MS = 86_400_000
const ENTRY_ID = /^[\w-]{22}$/
const ENTRY_ID_BYTES = 10
/** In base 36, until 2059. */
const TIME_LENGTH = 8

export function encodeMark(mark: Mark): string {
  return JSON.stringify(mark)
}

/** `undefined` for a text that is no mark; every field is what it should be, as in a session's record. */
export function decodeMark(text: string): Mark | undefined {
  try {
    const mark = JSON.parse(text) as Mark
    return [mark.until, mark.began ?? 0].every(isTime) && mark.entries.every(isEntry) ? mark : undefined
  } catch {
    return undefined
  }
}

/** With these entries; what ran out a day ago is no longer listed (E10). */
export function markWith(entries: readonly MarkEntry[], before: Mark | undefined, now: number): Mark {
  return {
    until: Math.max(before?.until ?? 0, ...entries.map(({ until }) => until)),
    // The earliest that it lists, not the time of its first write: servers' clocks differ.
    began: Math.min(before?.began ?? now, ...entries.map(({ id }) => timeIn(id))),
    entries: entries.filter(({ until }) => now < until + GRACE_MS),
  }
}

/** Random, with the time behind it: so a session's record says when it was signed in without a field for that. */
export function generateEntryId(now: number): string {
  const time = Math.trunc(now).toString(36).padStart(TIME_LENGTH, '0')
  return base64url(randomBytes(ENTRY_ID_BYTES)) + time.slice(-TIME_LENGTH)
}

/** Whether the sign-in is older than the list, which has begun anew since: it decides a word, never who lives (E9). */
export function isBefore({ began }: Mark, entryId: string): boolean {
  return began !== undefined && timeIn(entryId) < began
}

function timeIn(entryId: string): number {
  return Number.parseInt(entryId.slice(-TIME_LENGTH), 36) || 0
}

/** Milliseconds since the epoch until which the store is to keep it. */
export function keptUntil({ until }: Mark): number {
  return until + GRACE_MS
}

/** Whether its session has run out, as far as the mark knows. */
export function hasRunOut({ until, idle, lastSeenAt }: MarkEntry, now: number): boolean {
  return until <= now || (idle !== false && lastSeenAt + idle * 1000 + SEEN_STEP_MS <= now)
}

/** The first is the first to make room: what has run out, then what was not seen longest. */
export function byLastUse(now: number): (left: MarkEntry, right: MarkEntry) => number {
  return (left, right) =>
    Number(hasRunOut(right, now)) - Number(hasRunOut(left, now)) || left.lastSeenAt - right.lastSeenAt
}

function isEntry({ id, label, signedInAt, lastSeenAt, idle, until, over }: MarkEntry): boolean {
  return (
    isEntryId(id) &&
    (label === undefined || (typeof label === 'string' && [...label].length <= LONGEST_LABEL)) &&
    [signedInAt, lastSeenAt, until].every(isTime) &&
    (idle === false || isTimeout(idle)) &&
    (over === undefined || typeof over === 'string')
  )
}

export function isEntryId(value: unknown): boolean {
  return typeof value === 'string' && ENTRY_ID.test(value)
}

export function isTime(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER
}

export function isTimeout(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1
}
