import { StoreUnavailableError } from '../errors.ts'
import type { LiveSession, RecordIO } from '../record/record-io.ts'
import { generateWriteId, type Tombstone } from '../record/record.ts'
import type { SessionState } from './session-state.ts'
import { swap } from './swap.ts'

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

/** What is left of a session that ends now; `successor` is the store key of the one that goes on. */
export function tombstone(io: RecordIO, ended: Tombstone['ended'], successor?: string): Tombstone {
  return { ended, endedAt: io.services.now(), writeId: generateWriteId(), successor }
}

/** Writers cannot starve a sign-out: after the last conflict the tombstone is written unconditionally. */
async function end(session: LiveSession, io: RecordIO): Promise<void> {
  const last = tombstone(io, 'destroyed')
  const swapped = await swap(io, session, { writeId: last.writeId }, async () => last, LAST_RESORT_MS)
  let found = swapped.outcome === 'ended' ? swapped.tombstone : undefined
  if (swapped.outcome === 'exhausted') {
    // What it lost to last may have been a regenerateId.
    const newest = await io.read(session.keys, io.ttlOf(session.record))
    if (!newest) return
    if (!('ended' in newest.record)) return setTwice(session, last, io)
    found = newest.record
  }
  // This request held the session live, so the end it asked for is meant for what became of it too.
  if (found?.successor !== undefined) await io.delete(found.successor)
}

/** A tombstone does no harm when it is written twice. */
async function setTwice(session: LiveSession, last: Tombstone, io: RecordIO): Promise<void> {
  try {
    await io.set(session.keys, last)
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error
    await io.set(session.keys, last)
  }
}
