import { asUnanswered, type LiveSession, type RecordIO } from '../record/record-io.ts'
import { generateWriteId, type Successor, type Tombstone } from '../record/record.ts'
import type { SessionState } from './session-state.ts'
import { swap } from './swap.ts'
import { delist } from './entry.ts'

/** Kept back from the conflicts of a sign-out, for the write that ends them. */
const LAST_RESORT_MS = 250

/** Ends the session that the request presented, or all of them. */
export async function endLoaded({ loaded, services }: SessionState, io: RecordIO): Promise<void> {
  const sessions =
    loaded?.state === 'live' ? [loaded.session] : loaded?.state === 'duplicate' ? loaded.sessions : []
  for (const session of sessions) {
    await services.turns.take(session.keys.storeKey, () => end(session, io))
    io.report('destroyed')
  }
}

/** What is left of a session that ends now; `successor` is the one that goes on. */
export function tombstone(io: RecordIO, ended: Tombstone['ended'], successor?: Successor): Tombstone {
  return { ended, endedAt: io.services.now(), writeId: generateWriteId(), successor }
}

/** Writers cannot starve a sign-out: after the last conflict the tombstone is written unconditionally. */
async function end(session: LiveSession, io: RecordIO): Promise<void> {
  const last = tombstone(io, 'destroyed')
  const swapped = await swap(io, session, { writeId: last.writeId }, () => last, LAST_RESORT_MS)
  let found = swapped.outcome === 'ended' ? swapped.tombstone : undefined
  if (swapped.outcome === 'exhausted') {
    // What it lost to last may have been a regenerateId.
    const newest = (await io.read(session.keys, io.ttlOf(session.record)))?.record
    if (newest && 'ended' in newest) found = newest
    else if (newest) await setTwice(session, last, io)
  }
  // The tombstone decides; the list follows.
  if (session.record.signedIn) await delist(io, session.record.signedIn)
  // This request held the session live, so the end it asked for is meant for what became of it too.
  const goesOn = found?.successor && (await lastOf(found.successor, io))
  if (goesOn) await end(goesOn, io)
}

/** The session that goes on, through later successors: any, or those of one user's. */
export async function lastOf(
  { token }: Successor,
  io: RecordIO,
  userId?: string,
): Promise<LiveSession | undefined> {
  const keys = await io.services.keyring.keysOf(token)
  const found = await io.read(keys, undefined)
  if (!found?.record) return undefined
  const { record, version } = found
  if (!('ended' in record)) return { keys, record, version, renewedAt: undefined }
  const { successor } = record
  const isMeant = successor && (userId === undefined || successor.userId === userId)
  return isMeant ? lastOf(successor, io, userId) : undefined
}

/** A tombstone does no harm when it is written twice. */
async function setTwice(session: LiveSession, last: Tombstone, io: RecordIO): Promise<void> {
  const failed = await io.set(session.keys, last).catch(asUnanswered)
  if (failed) await io.set(session.keys, last)
}
