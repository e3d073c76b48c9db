import { replay, setsTimeouts, signInOf, timeoutsAfter, type Journal } from '../draft/journal.ts'
import {
  SessionConflictError,
  SessionStateError,
  StoreUnavailableError,
  type SessionError,
} from '../errors.ts'
import { generateToken } from '../http/token.ts'
import type { LiveSession, RecordIO } from '../record/record-io.ts'
import { lastForgotten, nextRecord, type LiveRecord, type SignedIn } from '../record/record.ts'
import type { SessionState } from './session-state.ts'
import { swap } from './swap.ts'
import { announce, tellExactly } from './entry.ts'

/** What one commit is about. */
export interface Commit {
  readonly state: SessionState
  readonly io: RecordIO
  /** A `save()`, which throws where the commit after the handler would only report. */
  readonly isExplicit: boolean
}

/** What became of a journal: kept in a session, whose token the response is to carry or not, or lost with it. */
export type Outcome =
  | { kept: LiveSession; isHandedOut: boolean; event?: 'created' | 'saved' | 'regenerated' | 'signed-in' }
  | { lost: 'dropped' | 'missing'; error?: SessionError }

/** Saves to a session that goes on under its token. */
export async function save(commit: Commit, journal: Journal, loaded: LiveSession): Promise<Outcome> {
  const { io } = commit
  const { record } = loaded
  const isHandedOut = setsTimeouts(journal.steps)
  // A user's list is told of timeouts before the record (E10), and asked whether the session still lives (E5).
  const signedIn = isHandedOut ? record.signedIn : undefined
  const announced = signedIn && (await announce(io, signedIn, timeoutsAfter(journal.steps, record)))
  if (signedIn && !announced) return lost(journal, 'dropped')
  const swapped = await swap(io, loaded, journal, ({ record: newest }) => {
    settleDoubt(journal, newest)
    const { record: written, changed } = next(commit, journal, newest, newest.signedIn)
    return changed ? written : undefined
  })
  switch (swapped.outcome) {
    case 'unchanged':
      return { kept: swapped.session, isHandedOut: false }
    case 'written':
      if (announced) await tellExactly(io, announced, swapped.session.record)
      return { kept: swapped.session, isHandedOut, event: 'saved' }
    case 'ended':
      return lost(journal, 'dropped')
    case 'missing':
      return lost(journal, 'missing')
    case 'exhausted':
      requireAnswered(journal)
      throw new SessionConflictError('other requests kept writing the same session; nothing was written')
  }
}

/** The record with the journal applied, and whether that changes anything. */
export function next(
  { io, isExplicit }: Commit,
  { writeId, steps }: Journal,
  newest: LiveRecord,
  signedIn: SignedIn | undefined,
): { record: LiveRecord; changed: boolean } {
  const { texts, changed, spent } = replay(steps, newest.texts)
  if (spent && isExplicit) {
    throw new SessionConflictError(
      'another request took or changed a value that this one took; nothing was written',
    )
  }
  const { deadline, idleTimeout, persistent } = timeoutsAfter(steps, newest)
  // Named one by one: what a spread is added to is slow to make and to read.
  const terms = { deadline, idleTimeout, persistent, signedIn }
  const record = nextRecord(newest, writeId, io.services.now(), texts, terms)
  return { record, changed: changed || setsTimeouts(steps) || signInOf(steps) !== undefined }
}

/** No token is made that cannot be handed out (D10). */
export function requireHeaders({ state, io }: Commit): void {
  if (state.canSetHeaders()) return
  io.services.emit('cookie-lost')
  throw new SessionStateError(
    'ERR_SESSION_HEADERS_SENT',
    'the response has left, so no cookie can follow: begin or regenerate a session before; nothing was written',
  )
}

/** Adds under a fresh token; once more under another, which may live on another server, before giving up. */
export async function add(record: LiveRecord, io: RecordIO): Promise<LiveSession> {
  for (let attempt = 0; ; attempt++) {
    const keys = await io.services.keyring.keysOf(generateToken())
    try {
      const version = await io.add(keys, record)
      if (version !== undefined) return { keys, record, version, renewedAt: io.services.now() }
      if (attempt > 0) throw new SessionConflictError('no free key was found for a new session')
    } catch (error) {
      if (attempt > 0 || !(error instanceof StoreUnavailableError)) throw error
    }
  }
}

/** Nobody else knows the successor's key yet, so a swap that fails is an outage. */
export async function rewrite(
  successor: LiveSession,
  record: LiveRecord,
  io: RecordIO,
): Promise<LiveSession> {
  const { keys, version } = successor
  const reply = await io.replace(keys, record, version)
  if (reply.outcome === 'replaced') {
    return { keys, record, version: reply.version, renewedAt: io.services.now() }
  }
  throw new StoreUnavailableError('replace', new Error(`the new record is ${reply.outcome}`))
}

function lost(journal: Journal, how: 'dropped' | 'missing'): Outcome {
  requireAnswered(journal)
  return { lost: how }
}

/** Whoever ended the session may have carried the write over to the one that goes on (E4). */
function requireAnswered({ unanswered }: Journal): void {
  if (unanswered === undefined) return
  throw new StoreUnavailableError(
    'replace',
    new Error('the reply was lost, and cannot be settled by reading'),
  )
}

/** Where others wrote on the same generation it never will be there; where too many did, nobody can tell, and none guesses. */
function settleDoubt(journal: Journal, record: LiveRecord): void {
  const { unanswered } = journal
  if (unanswered === undefined || record.generation <= unanswered) return
  if (lastForgotten(record) > unanswered) {
    throw new SessionConflictError('the reply to a write was lost, and too many others wrote since to tell')
  }
  journal.unanswered = undefined
}
