import { LONGEST_AGE_SECONDS } from '../check.ts'
import { regenerates, replay, userOf, timeoutsOf, type Journal } from '../draft/journal.ts'
import {
  SessionConflictError,
  SessionDataError,
  SessionEndedError,
  SessionStateError,
  StoreUnavailableError,
  type SessionError,
} from '../errors.ts'
import { generateToken } from '../http/token.ts'
import { tieToUser } from '../record/marks.ts'
import { RecordIO, type LiveSession } from '../record/record-io.ts'
import {
  lastForgotten,
  nextRecord,
  secondsUntil,
  type LiveRecord,
  type MarkReference,
} from '../record/record.ts'
import { endLoaded, tombstone } from './ending.ts'
import type { SessionState } from './session-state.ts'
import { swap, type Swapped } from './swap.ts'

/** What became of a journal: kept in a session, whose token the response is to carry or not, or lost with it. */
type Outcome =
  | { kept: LiveSession; isHandedOut: boolean; event?: 'created' | 'saved' | 'regenerated' }
  | { lost: 'dropped' | 'missing'; error?: SessionError }

/** What one commit is about. */
interface Commit {
  readonly state: SessionState
  readonly io: RecordIO
  /** A `save()`, which throws where the commit after the handler would only report. */
  readonly isExplicit: boolean
}

/** Writes what a request did to its session, until there is nothing more to write. */
export async function commitSession(state: SessionState, isExplicit: boolean): Promise<void> {
  const commit: Commit = { state, io: new RecordIO(state.services), isExplicit }
  if (state.isDestroying) {
    await state.loadToCommit()
    await endLoaded(state, commit.io)
    state.concludeDestroy()
  }
  try {
    await writeAll(commit)
  } catch (error) {
    if (isExplicit || !(error instanceof SessionDataError) || !state.dropRefusedData()) throw error
    commit.io.report('dropped')
    await writeAll(commit)
  }
}

async function writeAll(commit: Commit): Promise<void> {
  const { state } = commit
  state.draft.settle()
  if (!state.needsCommit) return
  const loading = state.loadToCommit()
  if (loading) await loading
  // A destroy() meanwhile is for the next commit, and so is what was begun after it.
  while (state.draft.hasSteps && !state.isDestroying) {
    if (!(await writeNext(commit))) return
  }
}

/** Says whether there was something to write: without data no session is made. */
async function writeNext(commit: Commit): Promise<boolean> {
  const { loaded, services } = commit.state
  if (loaded?.state !== 'live') return sent(commit, (journal) => writeAnew(commit, journal))
  const { session } = loaded
  return services.turns.take(session.keys.storeKey, (handedOn, handOn) =>
    sent(commit, async (journal) => {
      if (regenerates(journal.steps)) return regenerate(commit, journal, session)
      const outcome = await save(commit, journal, isNewer(handedOn, session) ? handedOn : session)
      if ('kept' in outcome) handOn(outcome.kept)
      return outcome
    }),
  )
}

/** Sends the steps until now, and draws the conclusion. */
async function sent(
  commit: Commit,
  write: (journal: Journal) => Promise<Outcome | undefined>,
): Promise<boolean> {
  const { draft } = commit.state
  const journal = draft.send()
  try {
    const outcome = await write(journal)
    if (outcome) conclude(commit, journal, outcome)
    else draft.takeBack(journal)
    return outcome !== undefined
  } catch (error) {
    if (journal.unanswered === undefined) draft.takeBack(journal)
    throw error
  }
}

function conclude({ state, io, isExplicit }: Commit, journal: Journal, outcome: Outcome): void {
  if ('lost' in outcome) {
    io.report(outcome.lost)
    state.loseSession(journal)
    if (outcome.error) throw outcome.error
    if (isExplicit) throw new SessionEndedError('the session ended; nothing was written')
    return
  }
  const { kept, isHandedOut, event } = outcome
  state.loaded = { state: 'live', session: kept }
  state.draft.applied(journal, kept.record.texts)
  if (isHandedOut) state.cookie = { token: kept.keys.token, maxAge: maxAgeOf(kept.record, io) }
  if (event) io.report(event)
}

async function writeAnew(commit: Commit, journal: Journal): Promise<Outcome | undefined> {
  const { state, io, isExplicit } = commit
  const isAfresh = regenerates(journal.steps)
  const hasData = replay(journal.steps, new Map()).texts.size > 0
  if (hasData && (isAfresh || state.loaded?.state === 'none')) requireHeaders(commit)
  if (isAfresh) {
    await endLoaded(state, io)
    state.loaded = { state: 'none' }
  }
  if (state.loaded?.state !== 'none') return { lost: 'dropped' }
  if (!hasData) return undefined
  const { now, absoluteTimeout } = io.services
  const writtenAt = now()
  const deadline = writtenAt + absoluteTimeout * 1000
  const nothing = { deadline, generation: 0, writeIds: '', newIds: 0, newSince: writtenAt, texts: new Map() }
  const mark = await markFor(journal, nothing, io)
  const { record } = next(journal, nothing, mark, isExplicit, io)
  return { kept: await add(record, io), isHandedOut: true, event: 'created' }
}

async function save({ io, isExplicit }: Commit, journal: Journal, loaded: LiveSession): Promise<Outcome> {
  const swapped = await swap(io, loaded, journal, async ({ record: newest }) => {
    refuseToGuess(journal, newest)
    // Another request may have tied it to the same user since, which was revoked since.
    const mark = await markFor(journal, newest, io)
    const { record, changed } = next(journal, newest, mark, isExplicit, io)
    return changed ? record : undefined
  })
  if (!('session' in swapped) && journal.unanswered !== undefined) {
    // Whoever ended the session may have carried the write over to the one that goes on (E4).
    throw new StoreUnavailableError(
      'replace',
      new Error('the reply was lost, and cannot be settled by reading'),
    )
  }
  switch (swapped.outcome) {
    case 'unchanged':
      return { kept: swapped.session, isHandedOut: false }
    case 'written':
      return { kept: swapped.session, isHandedOut: timeoutsOf(journal.steps) !== undefined, event: 'saved' }
    case 'ended':
      return { lost: 'dropped' }
    case 'missing':
      return { lost: 'missing' }
    case 'exhausted':
      throw new SessionConflictError('other requests kept writing the same session; nothing was written')
  }
}

/**
 * Adds the session under a new token, then swaps a tombstone into the old key, which names the new one. What came
 * between is carried over first. The new token leaves the process only once the old one is dead.
 */
async function regenerate(commit: Commit, journal: Journal, loaded: LiveSession): Promise<Outcome> {
  const { io, isExplicit } = commit
  requireHeaders(commit)
  const mark = await markFor(journal, loaded.record, io)
  const { record, changed } = next(journal, loaded.record, mark, isExplicit, io)
  let successor = await add(record, io)
  let carried = loaded.version
  const end = tombstone(io, 'regenerated', successor.keys.storeKey)
  let swapped: Swapped
  try {
    swapped = await swap(io, loaded, { writeId: end.writeId }, async (newest) => {
      if (newest.version !== carried) {
        successor = await rewrite(successor, next(journal, newest.record, mark, isExplicit, io).record, io)
      }
      carried = newest.version
      return end
    })
  } catch (error) {
    io.discard(successor.keys.storeKey)
    throw error
  }
  if (swapped.outcome === 'written') return { kept: successor, isHandedOut: true, event: 'regenerated' }
  io.discard(successor.keys.storeKey)
  if (swapped.outcome === 'exhausted') {
    throw new SessionConflictError('other requests kept writing the same session; its token was kept')
  }
  if (swapped.outcome === 'ended' && swapped.tombstone.ended === 'regenerated') {
    if (!changed) return { lost: 'dropped' }
    const error = new SessionConflictError("another request regenerated the session's token first")
    return { lost: 'dropped', error }
  }
  const error = new SessionEndedError('the session ended while its token was being regenerated')
  return { lost: swapped.outcome === 'missing' ? 'missing' : 'dropped', error }
}

/** No token is made that cannot be handed out (D10). */
function requireHeaders({ state, io }: Commit): void {
  if (state.canSetHeaders()) return
  io.services.emit('cookie-lost')
  throw new SessionStateError(
    'ERR_SESSION_HEADERS_SENT',
    'the response has left, so no cookie can follow: begin or regenerate a session before; nothing was written',
  )
}

/** The record with the journal applied, and whether that changes anything. */
function next(
  { writeId, steps }: Journal,
  newest: LiveRecord,
  mark: MarkReference | undefined,
  isExplicit: boolean,
  io: RecordIO,
): { record: LiveRecord; changed: boolean } {
  const { texts, changed, spent } = replay(steps, newest.texts)
  if (spent && isExplicit) {
    throw new SessionConflictError(
      'another request took or changed a value that this one took; nothing was written',
    )
  }
  const timeouts = timeoutsOf(steps)
  const envelope = mark ? { ...timeouts, mark } : timeouts
  const isTied = mark !== undefined && mark.epoch !== newest.mark?.epoch
  const record = nextRecord(newest, writeId, io.services.now(), texts, envelope)
  return { record, changed: changed || timeouts !== undefined || isTied }
}

async function markFor(
  { steps }: Journal,
  newest: LiveRecord,
  io: RecordIO,
): Promise<MarkReference | undefined> {
  const user = userOf(steps)
  return user === undefined ? undefined : tieToUser(io, user, newest, regenerates(steps))
}

function refuseToGuess({ unanswered }: Journal, record: LiveRecord): void {
  if (unanswered === undefined || lastForgotten(record) <= unanswered) return
  throw new SessionConflictError('the reply to a write was lost, and too many others wrote since to tell')
}

/** Nobody else knows the successor's key yet, so a swap that fails is an outage. */
async function rewrite(successor: LiveSession, record: LiveRecord, io: RecordIO): Promise<LiveSession> {
  const { keys, version } = successor
  const reply = await io.replace(keys, record, version)
  if (reply.outcome === 'replaced') return { keys, record, version: reply.version }
  throw new StoreUnavailableError('replace', new Error(`the new record is ${reply.outcome}`))
}

/** Adds under a fresh token; once more under another, which may live on another server, before giving up. */
async function add(record: LiveRecord, io: RecordIO): Promise<LiveSession> {
  for (let attempt = 0; ; attempt++) {
    const keys = await io.services.keyring.keysOf(generateToken())
    try {
      const version = await io.add(keys, record)
      if (version !== undefined) return { keys, record, version }
      if (attempt > 0) throw new SessionConflictError('no free key was found for a new session')
    } catch (error) {
      if (attempt > 0 || !(error instanceof StoreUnavailableError)) throw error
    }
  }
}

/** Seconds that the browser is to keep the cookie; `undefined` until it closes. */
function maxAgeOf({ deadline, persistent }: LiveRecord, { services }: RecordIO): number | undefined {
  if (!(persistent ?? services.persistent)) return undefined
  return Math.min(secondsUntil(deadline, services.now()), LONGEST_AGE_SECONDS)
}

/** Not the session that one was regenerated into, nor what this request has read a newer state of by itself. */
function isNewer(handedOn: LiveSession | undefined, session: LiveSession): handedOn is LiveSession {
  return (
    handedOn?.keys.storeKey === session.keys.storeKey &&
    handedOn.record.generation > session.record.generation
  )
}
