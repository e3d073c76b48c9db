import { checkBoolean } from '../check.ts'
import { isTooLong, readSessionTokens } from '../http/cookie.ts'
import type { EndReason } from '../events.ts'
import { RecordIO, type LiveSession } from '../record/record-io.ts'
import type { Tombstone } from '../record/record.ts'
import type { Opening } from './opening.ts'
import { whyUnlisted } from './entry.ts'

/**
 * What stands behind a request's cookie.
 *
 * - `none`: nothing, or a token that is unknown or expired; such a token is never adopted (B3).
 * - `ended`: a session ended moments ago; what this request writes is dropped, since the cookie that a sign-in just
 *   set must not be overwritten (E6).
 * - `duplicate`: two live sessions, of which nobody can say which is the visitor's own (B6).
 */
export type Loaded =
  | { state: 'none' }
  | { state: 'live'; session: LiveSession }
  | { state: 'ended'; tombstones: Tombstone[] }
  | { state: 'duplicate'; sessions: LiveSession[] }

/** How long after a session's end its token still counts as ended rather than unknown. */
const ENDED_MS = 30_000

/**
 * Reads the session that the request's Cookie header names, and restarts its time to live unless `renew` says that this is
 * no use; rejects when one of its tokens cannot be asked about, and with what the two throw.
 */
export async function loadSession<Request>(
  { services, cookieHeader, renew }: Opening<Request>,
  request: Request,
): Promise<Loaded> {
  const header = cookieHeader(request) ?? ''
  const asked: unknown = renew?.(request)
  // An async one is refused, and fails for nobody else.
  if (asked instanceof Promise) asked.catch(() => {})
  const renews = checkBoolean('renew', asked, true)
  const tokens = readSessionTokens(header, services.cookieName)
  if (tokens.length === 0) {
    if (isTooLong(header)) services.emit('cookie-header-too-long')
    return { state: 'none' }
  }
  const io = new RecordIO(services)
  if (tokens.length === 1) return judged(io, [await loadToken(io, tokens[0]!, renews)])
  return judged(io, await Promise.all(tokens.map((token) => loadToken(io, token, renews))))
}

/** What the tokens of one request come to. */
function judged(io: RecordIO, found: (LiveSession | Tombstone | undefined)[]): Loaded {
  const sessions: LiveSession[] = []
  const tombstones: Tombstone[] = []
  for (const each of found) {
    if (each && 'record' in each) sessions.push(each)
    else if (each) tombstones.push(each)
  }
  const [session, another] = sessions
  if (another) {
    io.report('duplicate-cookie')
    return { state: 'duplicate', sessions }
  }
  if (session) {
    io.report('loaded')
    return { state: 'live', session }
  }
  if (!tombstones[0]) {
    if (!io.hasTold) io.report('unknown')
    return { state: 'none' }
  }
  io.report('ended', reasonOf(tombstones[0]))
  return { state: 'ended', tombstones }
}

async function loadToken(
  io: RecordIO,
  token: string,
  renews: boolean,
): Promise<LiveSession | Tombstone | undefined> {
  const { keyring, loadTtl, now } = io.services
  const derived = keyring.keysOf(token)
  const keys = derived instanceof Promise ? await derived : derived
  // Before the store is asked, so that nobody is told of a second that he does not have.
  const renewedAt = renews ? now() : undefined
  const found = await io.read(keys, renews ? loadTtl : undefined)
  if (!found?.record) return undefined
  const { record, version } = found
  if ('ended' in record) {
    if (now() - record.endedAt < ENDED_MS) return record
    io.report('ended', reasonOf(record))
    return undefined
  }
  if (record.deadline <= now()) {
    io.report('expired')
    return undefined
  }
  // The read restarted the manager's time to live; a session with timeouts of its own needs its own one.
  const ttl = io.ttlOf(record)
  if (renews && (record.idleTimeout !== undefined || ttl > loadTtl)) await io.touch(keys, ttl)
  const reason = record.signedIn && (await whyUnlisted(io, record.signedIn, renews ? record : undefined))
  if (!reason) return { keys, record, version, renewedAt }
  io.report('ended', reason)
  return undefined
}

function reasonOf({ ended }: Tombstone): EndReason {
  return ended === 'destroyed' ? 'signed-out' : 'regenerated'
}
