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
  const [token, ...others] = readSessionTokens(header, services.cookieName)
  if (token === undefined) {
    if (isTooLong(header)) services.emit('cookie-header-too-long')
    return { state: 'none' }
  }
  const io = new RecordIO(services)
  const load = (each: string) => loadToken(io, each, renews)
  const found = others.length === 0 ? [await load(token)] : await Promise.all([token, ...others].map(load))
  const sessions = found.filter((each) => each !== undefined && 'record' in each)
  const [session, another] = sessions
  if (another) {
    io.report('duplicate-cookie')
    return { state: 'duplicate', sessions }
  }
  if (session) {
    io.report('loaded')
    return { state: 'live', session }
  }
  const tombstones = found.filter((each) => each !== undefined && 'ended' in each)
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
  if (!found) return undefined
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
