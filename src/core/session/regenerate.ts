import {
  regenerates,
  replay,
  setsTimeouts,
  signInOf,
  stepsBesideSignIn,
  timeoutsAfter,
  type Journal,
} from '../draft/journal.ts'
import { SessionConflictError, SessionEndedError, StoreUnavailableError } from '../errors.ts'
import type { LiveSession, RecordIO } from '../record/record-io.ts'
import type { MarkEntry } from '../record/mark.ts'
import type { LiveRecord, SignedIn, Successor, Tombstone } from '../record/record.ts'
import { endLoaded, lastOf, tombstone } from './ending.ts'
import { swap, type Swapped, type Write } from './swap.ts'
import { announce, delist, enlist, newEntry, tellExactly, timesOf, whyUnlisted } from './entry.ts'
import { makeRoom } from './users.ts'
import { add, next, requireHeaders, rewrite, save, type Commit, type Outcome } from './write.ts'

/** Characters of a store key: enough to tell the few sign-ins over one session that may meet. */
const LENGTH_OF_OVER = 8

/** A session under a token that nobody has yet. `listed` is how many its user has, where it was listed with it. */
interface Begun {
  session: LiveSession
  listed: number | undefined
}

/** Begins a session where there is none; `undefined` when there is nothing to begin one for. */
export async function begin(commit: Commit, journal: Journal): Promise<Outcome | undefined> {
  const { state, io } = commit
  const signIn = signInOf(journal.steps)
  const isAfresh = regenerates(journal.steps)
  const isNeeded = signIn !== undefined || replay(journal.steps, new Map()).texts.size > 0
  if (isNeeded && (isAfresh || state.loaded?.state === 'none')) requireHeaders(commit)
  const tombstones = state.loaded?.state === 'ended' ? state.loaded.tombstones : []
  for (const { successor } of tombstones) {
    const joined = await join(commit, journal, successor)
    if (joined) return joined
  }
  if (isAfresh) {
    await endLoaded(state, io)
    state.loaded = { state: 'none' }
  }
  if (state.loaded?.state !== 'none') return { lost: 'dropped' }
  if (!isNeeded) return undefined
  const writtenAt = io.services.now()
  const deadline = writtenAt + io.services.absoluteTimeout * 1000
  const nothing = { deadline, generation: 0, writeIds: '', newIds: 0, newSince: writtenAt, texts: new Map() }
  const signedIn = signIn && (await newEntry(io, signIn.userId))
  const begun = await addAnew(commit, journal, nothing, signedIn)
  await settle(io, begun)
  return { kept: begun.session, isHandedOut: true, event: signIn ? 'signed-in' : 'created' }
}

/**
 * Adds the session under a new token, lists it if somebody signed in, then swaps a tombstone into the old key, which
 * names the new one. What came between is carried over first. The new token leaves the process only once the old one is
 * dead; a step that fails takes back those before it.
 */
export async function regenerate(commit: Commit, journal: Journal, loaded: LiveSession): Promise<Outcome> {
  const { io } = commit
  requireHeaders(commit)
  const signIn = signInOf(journal.steps)
  const before = loaded.record.signedIn
  const keepsEntry = before !== undefined && (signIn ?? before).userId === before.userId
  const asked = before && (await askMark(io, journal, loaded.record, before, keepsEntry))
  if (asked && !asked.isListed) {
    // Another sign-in over the session takes the entry out, too, and the tombstone tells.
    const left = signIn && (await io.read(loaded.keys, undefined))?.record
    return left && 'ended' in left ? superseded(commit, journal, loaded, left) : ended()
  }
  const signedIn = keepsEntry ? before : signIn && (await newEntry(io, signIn.userId))
  const over = loaded.keys.storeKey.slice(0, LENGTH_OF_OVER)
  const begun = await addAnew(commit, journal, loaded.record, signedIn, over)
  const swapped = await endPredecessor(commit, journal, loaded, begun)
  if (swapped.outcome === 'written') {
    await settle(io, begun)
    if (asked?.announced) await tellExactly(io, asked.announced, begun.session.record)
    if (before && !keepsEntry) await delist(io, before)
    return { kept: begun.session, isHandedOut: true, event: signIn ? 'signed-in' : 'regenerated' }
  }
  await takeBack(io, begun)
  if (swapped.outcome === 'exhausted') {
    throw new SessionConflictError('other requests kept writing the same session; its token was kept')
  }
  return swapped.outcome === 'ended'
    ? superseded(commit, journal, loaded, swapped.tombstone)
    : ended('missing')
}

/** Another request ended the session first, or gave it a new token. */
async function superseded(
  commit: Commit,
  journal: Journal,
  { record }: LiveSession,
  { successor }: Tombstone,
): Promise<Outcome> {
  if (!successor) return ended()
  const signIn = signInOf(journal.steps)
  const joined = await join(commit, journal, successor)
  if (joined) return joined
  if (signIn && successor.userId === signIn.userId) return ended()
  if (signIn && successor.userId !== undefined) {
    // Somebody else signed in meanwhile; the credentials of this request were checked all the same.
    commit.state.loaded = { state: 'none' }
    return (await begin(commit, journal)) ?? ended()
  }
  if (!next(commit, journal, record, record.signedIn).changed) return { lost: 'dropped' }
  const error = new SessionConflictError("another request regenerated the session's token first")
  return { lost: 'dropped', error }
}

/** Adds it with the journal applied, and lists it unless it keeps the entry that it had. */
async function addAnew(
  commit: Commit,
  journal: Journal,
  newest: LiveRecord,
  signedIn: SignedIn | undefined,
  over?: string,
): Promise<Begun> {
  const { io } = commit
  const { record } = next(commit, journal, newest, signedIn)
  const session = await add(record, io)
  if (!signedIn || signedIn === newest.signedIn) return { session, listed: undefined }
  let anew: SignedIn | undefined
  try {
    const now = io.services.now()
    const label = signInOf(journal.steps)?.label
    const entry = { label, signedInAt: now, lastSeenAt: now, ...timesOf(io, record), over }
    const { entryId, listed } = await enlist(io, signedIn, entry)
    if (entryId === signedIn.entryId) return { session, listed }
    anew = { ...signedIn, entryId }
    return { session: await rewrite(session, { ...record, signedIn: anew }, io), listed }
  } catch (error) {
    io.discard(session.keys.storeKey)
    if (anew) await delist(io, anew)
    throw error
  }
}

async function endPredecessor(
  commit: Commit,
  journal: Journal,
  loaded: LiveSession,
  begun: Begun,
): Promise<Swapped> {
  const { io } = commit
  const { keys, record } = begun.session
  const end = tombstone(io, 'regenerated', { token: keys.token, userId: record.signedIn?.userId })
  const write: Write = { writeId: end.writeId }
  let carried = loaded.version
  try {
    return await swap(io, loaded, write, async (newest) => {
      if (newest.version !== carried) {
        const { record: rewritten } = next(commit, journal, newest.record, record.signedIn)
        begun.session = await rewrite(begun.session, rewritten, io)
      }
      carried = newest.version
      return end
    })
  } catch (error) {
    // A server that thaws may still take the tombstone, which alone has the new token: who signs in again then finds all.
    // Not once a newer record was read: a tombstone for an older one is no longer taken.
    const isOutage = error instanceof StoreUnavailableError
    const isLeft = signInOf(journal.steps) && write.unanswered !== undefined && isOutage
    if (!isLeft) await takeBack(io, begun)
    throw error
  }
}

async function settle(io: RecordIO, { session, listed }: Begun): Promise<void> {
  const { signedIn } = session.record
  if (signedIn && listed !== undefined) await makeRoom(io, signedIn, listed)
}

async function takeBack(io: RecordIO, { session, listed }: Begun): Promise<void> {
  io.discard(session.keys.storeKey)
  const { signedIn } = session.record
  if (signedIn && listed !== undefined) await delist(io, signedIn)
}

/**
 * The same user has signed in over the same session meanwhile, by a double click: what this request did besides goes
 * into that one, and its token is the answer to both (E7). `undefined` where there is none, or none any more.
 */
async function join(
  commit: Commit,
  journal: Journal,
  successor: Successor | undefined,
): Promise<Outcome | undefined> {
  const { io } = commit
  const signIn = signInOf(journal.steps)
  if (!signIn || signIn.userId !== successor?.userId) return undefined
  const session = await lastOf(successor, io, signIn.userId)
  const renewedAt = io.services.now()
  if (!session || session.record.deadline <= renewedAt) return undefined
  // Whoever signs in uses it.
  await io.touch(session.keys, io.ttlOf(session.record))
  const { signedIn } = session.record
  if (!signedIn || (await whyUnlisted(io, signedIn)) !== undefined) return undefined
  const rest: Journal = { ...journal, steps: stepsBesideSignIn(journal.steps) }
  try {
    const outcome = await save(commit, rest, { ...session, renewedAt })
    return 'kept' in outcome ? { kept: outcome.kept, isHandedOut: true, event: 'signed-in' } : undefined
  } finally {
    journal.unanswered = rest.unanswered
  }
}

/** Asks the user's mark once more before a cookie is sent for his session, and tells it of what changes (E5, E10). */
async function askMark(
  io: RecordIO,
  { steps }: Journal,
  record: LiveRecord,
  signedIn: SignedIn,
  keepsEntry: boolean,
): Promise<{ isListed: boolean; announced?: MarkEntry | undefined }> {
  const signIn = signInOf(steps)
  if (!keepsEntry || !(signIn || setsTimeouts(steps))) {
    return { isListed: (await whyUnlisted(io, signedIn)) === undefined }
  }
  const now = io.services.now()
  const seen = signIn && { signedInAt: now, lastSeenAt: now, ...(signIn.label && { label: signIn.label }) }
  const announced = await announce(io, signedIn, timeoutsAfter(steps, record), seen)
  return { isListed: announced !== undefined, announced }
}

function ended(lost: 'dropped' | 'missing' = 'dropped'): Outcome {
  return { lost, error: new SessionEndedError('the session ended while its token was being changed') }
}
