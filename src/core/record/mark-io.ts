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
  const { keyring, store, emit } = io.services
  const stored = await io.ask('get', () => store.get(keys.storeKey, undefined))
  if (!stored) return { mark: undefined, version: undefined }
  const plaintext = await keyring.openMark(keys, stored.bytes)
  const mark = plaintext && decodeMark(plaintext)
  if (!mark) emit('invalid')
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

/** A change that waits to be made: at its turn, or by the swap of one before it. */
export interface WaitingChange {
  storeKey: string
  change: MarkChange
  /** Settles with the swap that is under way with it. */
  sent?: Promise<void> | undefined
  /** Of a swap with it: it may have been made. */
  unanswered?: StoreUnavailableError | undefined
}

/**
 * Changes a mark by compare-and-swap, again and again on the newest one while others write first, until no more than
 * `reserveMs` is left of the time. A mark's key is used again, so its version is never carried over anything that is
 * waited for but one's turn (M14).
 *
 * Whoever's turn it is makes the changes of all who wait behind him: one by one, 50 sign-ins at four servers kept each
 * other from the swap for longer than a commit may take.
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
  const own: WaitingChange = { storeKey: keys.storeKey, change }
  markChanges.add(own)
  const run = async (handedOn: FoundMark | undefined, handOn: (found: FoundMark) => void) => {
    io.forgive(performance.now() - joinedAt)
    for (let attempt = 0; markChanges.has(own); attempt++) {
      // Wait, then read, then swap, as with a session's record.
      if (attempt > 1) await pause(attempt)
      if (attempt > 0 && io.timeLeft() <= reserveMs) throw conflict()
      const found = (attempt === 0 && handedOn) || (await readMark(io, keys))
      if (own.sent) {
        await own.sent
        continue
      }
      const changes = [...markChanges].filter(
        (each) => each === own || (each.storeKey === own.storeKey && !each.sent),
      )
      const entries = changed(found.mark?.entries, changes)
      const wasUnanswered = own.unanswered !== undefined
      if (!entries) {
        forget(changes, markChanges)
        return handOn(found)
      }
      try {
        const mark = markWith(entries, found.mark, now())
        const reply = await send(changes, markChanges, writeMark(io, keys, mark, found))
        if (reply.outcome === 'replaced') return handOn({ mark, version: reply.version })
        emit('conflict')
      } catch (error) {
        if (wasUnanswered || !own.unanswered) throw error
      }
    }
  }
  try {
    await markTurns.take(keys.storeKey, run)
  } catch (error) {
    // Another's swap may be making it.
    while (own.sent) await own.sent
    if (markChanges.delete(own)) throw own.unanswered ?? error
  }
}

/** One change after the other; `undefined` when none of them changes anything. */
function changed(
  before: readonly MarkEntry[] = [],
  changes: readonly WaitingChange[],
): readonly MarkEntry[] | undefined {
  const after = changes.reduce(
    (entries, each) => each.change(entries, each.unanswered !== undefined) ?? entries,
    before,
  )
  return after === before ? undefined : after
}

/** What came of the swap is noted before anybody who waits for it goes on. */
function send(
  changes: readonly WaitingChange[],
  waiting: Set<WaitingChange>,
  swap: Promise<ReplaceOutcome>,
): Promise<ReplaceOutcome> {
  const noted = swap
    .then((reply) => {
      if (reply.outcome === 'replaced') forget(changes, waiting)
      return reply
    })
    .catch((error: unknown) => {
      if (error instanceof StoreUnavailableError) for (const each of changes) each.unanswered = error
      throw error
    })
    .finally(() => {
      for (const each of changes) each.sent = undefined
    })
  const settled = noted.then(
    () => {},
    () => {},
  )
  for (const each of changes) each.sent = settled
  return noted
}

function forget(changes: readonly WaitingChange[], waiting: Set<WaitingChange>): void {
  for (const each of changes) waiting.delete(each)
}

function conflict(): SessionConflictError {
  return new SessionConflictError("other requests kept writing the same user's list of sessions")
}
