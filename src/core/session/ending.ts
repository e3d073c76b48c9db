import { StoreUnavailableError } from '../errors.ts'
import type { LiveSession, RecordIO } from '../record/record-io.ts'
import { generateWriteId, type Tombstone } from '../record/record.ts'
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
export function tombstone(
  io: RecordIO,
  ended: Tombstone['ended'],
  successor?: Tombstone['successor'],
): Tombstone {
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
  if (found?.successor) await endSuccessor(found.successor.token, io)
}

/** And that one's, to the last. */
async function endSuccessor(token: string, io: RecordIO): Promise<void> {
  const keys = await io.services.keyring.keysOf(token)
  const found = await io.read(keys, undefined)
  if (!found?.record) return
  const { record, version } = found
  if (!('ended' in record)) await end({ keys, record, version, renewedAt: undefined }, io)
  else if (record.successor) await endSuccessor(record.successor.token, io)
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
