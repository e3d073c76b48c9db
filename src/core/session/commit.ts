import { LONGEST_AGE_SECONDS } from '../check.ts'
import { regenerates, type Journal } from '../draft/journal.ts'
import { SessionDataError, SessionEndedError } from '../errors.ts'
import { RecordIO, type LiveSession } from '../record/record-io.ts'
import { secondsUntil, type LiveRecord } from '../record/record.ts'
import { endLoaded } from './ending.ts'
import { begin, regenerate } from './regenerate.ts'
import type { SessionState } from './session-state.ts'
import { save, type Commit, type Outcome } from './write.ts'

/** Writes what a request did to its session, until there is nothing more to write. */
export async function commitSession(state: SessionState, isExplicit: boolean): Promise<void> {
  const commit: Commit = { state, io: new RecordIO(state.services, true), isExplicit }
  if (state.isDestroying) {
    await state.loadToCommit()
    await endLoaded(state, commit.io)
    state.concludeDestroy()
  }
  for (;;) {
    try {
      state.draft.settle()
      if (!state.needsCommit) return
      const loading = state.loadToCommit()
      if (loading) await loading
      // A destroy() meanwhile is for the next commit, and so is what was begun after it.
      while (state.draft.hasSteps && !state.isDestroying) if (!(await writeNext(commit))) return
      return
    } catch (error) {
      if (isExplicit || !(error instanceof SessionDataError) || !state.dropRefusedData()) throw error
      commit.io.report('dropped')
    }
  }
}

/** Says whether there was something to write: without data no session is made. */
function writeNext(commit: Commit): Promise<boolean> {
  const { loaded, services } = commit.state
  if (loaded?.state !== 'live') return sent(commit, (journal) => begin(commit, journal))
  const { session } = loaded
  return services.turns.take(session.keys.storeKey, (handedOn, handOn) => {
    const newest = isNewer(handedOn, session) ? handedOn : session
    const write = (journal: Journal) =>
      regenerates(journal.steps) ? regenerate(commit, journal, newest) : save(commit, journal, newest)
    return sent(commit, write, handOn)
  })
}

/** Sends the steps until now, and draws the conclusion. */
async function sent(
  commit: Commit,
  write: (journal: Journal) => Promise<Outcome | undefined>,
  handOn?: (session: LiveSession) => void,
): Promise<boolean> {
  const { draft } = commit.state
  const journal = draft.send()
  try {
    const outcome = await write(journal)
    if (outcome && 'kept' in outcome) handOn?.(outcome.kept)
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
  state.draft.applied(journal, kept.record.texts, kept.record.signedIn?.userId)
  if (isHandedOut) state.cookie = { token: kept.keys.token, maxAge: maxAgeOf(kept.record, io) }
  if (event) io.report(event)
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
