import type { MarkKeys } from '../crypto/keyring.ts'
import { SessionConflictError, StoreUnavailableError } from '../errors.ts'
import type { ReplaceOutcome, Version } from '../stores/store.ts'
import { decodeMark, encodeMark, keptUntil, markWith, type Mark, type MarkEntry } from './mark.ts'
import { pause } from './pause.ts'
import type { RecordIO } from './record-io.ts'
import { secondsUntil } from './record.ts'

/** A mark as it was read: none for one that is missing or cannot be understood, no version for one that is missing. */
export interface FoundMark {
  mark: Mark | undefined
  version: Version | undefined
}

/**
 * What becomes of a user's entries; `undefined` leaves them as they are. `isInDoubt` says that the write before went
 * unanswered: what it made may have been there, and have been taken out since.
 */
export type MarkChange = (
  entries: readonly MarkEntry[],
  isInDoubt: boolean,
) => readonly MarkEntry[] | undefined

/** What another attempt needs to be answered. */
const LEAST_TIME_MS = 100

/** Its time to live is left alone: it goes by what the mark lists. */
export async function readMark(io: RecordIO, keys: MarkKeys): Promise<FoundMark> {
  const { keyring, store, opened, emit } = io.services
  const stored = await io.ask('get', () => store.get(keys.storeKey, undefined))
  if (!stored) return { mark: undefined, version: undefined }
  const known = opened.recall(keys.storeKey, stored.bytes)
  const bytes = known ? stored.bytes : new Uint8Array(stored.bytes)
  const plaintext = known ?? (await keyring.openMark(keys, bytes))
  const mark = plaintext && decodeMark(plaintext)
  if (!mark) emit('invalid')
  else if (!known) opened.remember(keys.storeKey, bytes, plaintext)
  return { mark, version: stored.version }
}

/** Writes over what was found, or not at all. */
export async function writeMark(
  io: RecordIO,
  keys: MarkKeys,
  mark: Mark,
  { version }: FoundMark,
): Promise<ReplaceOutcome> {
  const { keyring, store, now } = io.services
  const bytes = await keyring.sealMark(keys, encodeMark(mark))
  const ttl = secondsUntil(keptUntil(mark), now())
  if (version !== undefined) {
    return io.ask('replace', () => store.replace(keys.storeKey, bytes, ttl, version))
  }
  const added = await io.ask('add', () => store.add(keys.storeKey, bytes, ttl))
  return added === undefined ? { outcome: 'conflict' } : { outcome: 'replaced', version: added }
}

/** A change that waits for its turn; one before it may make it with its own. */
export interface WaitingChange {
  storeKey: string
  change: MarkChange
  /** Whether another's swap with it is under way. */
  isSent: boolean
  /** Whether one with it went unanswered. */
  isInDoubt: boolean
  isMade: boolean
}

/**
 * Changes a mark by compare-and-swap, again and again on the newest one while others write first, until no more than
 * `reserveMs` is left of the time. A mark's key is used again, so its version is never carried over anything that is
 * waited for but one's turn (M14).
 *
 * Whose turn it is makes the changes of all who wait behind it: one by one, 1 or 2 of 50 sign-ins in four processes, at
 * 5 ms a round trip, were kept from the swap for longer than a commit may take.
 *
 * Rejects with `SessionConflictError`, or with what the store rejected with: then the change may have been made.
 */
export async function changeMark(
  io: RecordIO,
  keys: MarkKeys,
  change: MarkChange,
  reserveMs: number = LEAST_TIME_MS,
): Promise<void> {
  const { markTurns, markChanges, now, emit } = io.services
  const joinedAt = performance.now()
  const { storeKey } = keys
  const own: WaitingChange = { storeKey, change, isSent: false, isInDoubt: false, isMade: false }
  markChanges.add(own)
  await markTurns.take(storeKey, async (handedOn, handOn) => {
    markChanges.delete(own)
    if (own.isMade) return
    // It has given up waiting: what becomes of that swap is read, not assumed.
    own.isInDoubt ||= own.isSent
    io.forgive(performance.now() - joinedAt)
    let failure: StoreUnavailableError | undefined
    for (let attempt = 0; ; attempt++) {
      // Wait, then read, then swap, as with a session's record.
      if (attempt > 1) await pause(attempt)
      if (attempt > 0 && io.timeLeft() <= reserveMs) throw failure ?? conflict()
      const found = (attempt === 0 && handedOn) || (await readMark(io, keys))
      const others = [...markChanges].filter((each) => each.storeKey === storeKey && !each.isSent)
      const entries = changed(found.mark?.entries, [own, ...others])
      const mark = entries && markWith(entries, found.mark, now())
      for (const each of others) each.isSent = true
      try {
        const reply = mark && (await writeMark(io, keys, mark, found))
        if (!reply || reply.outcome === 'replaced') {
          for (const each of others) each.isMade = markChanges.delete(each)
          return handOn(reply ? { mark, version: reply.version } : found)
        }
        emit('conflict')
      } catch (error) {
        for (const each of [own, ...others]) each.isInDoubt = true
        if (failure || !(error instanceof StoreUnavailableError)) throw error
        failure = error
      } finally {
        for (const each of others) each.isSent = false
      }
    }
  })
}

/** One change after the other; `undefined` when none of them changes anything. */
function changed(
  before: readonly MarkEntry[] = [],
  changes: readonly WaitingChange[],
): readonly MarkEntry[] | undefined {
  const after = changes.reduce((entries, each) => each.change(entries, each.isInDoubt) ?? entries, before)
  return after === before ? undefined : after
}

function conflict(): SessionConflictError {
  return new SessionConflictError("other requests kept writing the same user's list of sessions")
}
