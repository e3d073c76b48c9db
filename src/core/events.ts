/** Every {@link SessionEventType}, for counters that begin at 0. */
export const sessionEventTypes = [
  'created', 'loaded', 'saved', 'regenerated', 'signed-in', 'destroyed', 'revoked', 'expired', 'ended', 'unknown',
  'missing', 'invalid', 'dropped', 'conflict', 'duplicate-cookie', 'cookie-lost', 'cookie-header-too-long',
  'insecure-cookie', 'cache-overridden', 'store-error',
  'server-down', 'server-up', 'server-restarted', 'server-flushed', 'server-evicting',
] as const // prettier-ignore

/**
 * What happened to a session (ASVS 16.3.3):
 *
 * - `created`, `loaded`, `saved`, `regenerated`, `destroyed`: as named, by this request.
 * - `signed-in`: `signIn` was committed.
 * - `revoked`: somebody called `revoke` or `revokeAll`.
 * - `expired`: the cookie names a session past its absolute timeout.
 * - `ended`: the cookie names a session that was ended; `reason` says how.
 * - `unknown`: the cookie names a session that the store does not have: run idle, evicted, lost with its server, or made up.
 * - `missing`: a session that this request had loaded was gone when it committed; nothing was written.
 * - `invalid`: a stored record could not be opened or understood; the visitor counts as unknown.
 * - `dropped`: changes were not written, because the handler failed, the session had ended, or a socket closed
 *   before `save()`.
 * - `conflict`: another request wrote first; the changes are replayed on the newer record.
 * - `duplicate-cookie`: the request carried two live sessions; both are refused.
 * - `cookie-lost`: a cookie was to be sent or cleared, and the response's head had left.
 * - `cookie-header-too-long`: no session cookie stands in the 16 KiB of the Cookie header that are read; one may stand beyond.
 * - `insecure-cookie`: a Secure cookie goes out over plain http, where the browser drops it; once per manager.
 * - `cache-overridden`: the handler's `public` or `s-maxage` was replaced, because the response sets the cookie.
 * - `store-error`: a store operation failed, and not on a server that is known to be down; `error` says why.
 * - `server-down`, `server-up`: a server of the store is asked no more until it answers (`error` says why); it answers again.
 * - `server-restarted`, `server-flushed`: what that server held is gone.
 * - `server-evicting`: it is full and forgets sessions, `count` of them since `since`.
 */
export type SessionEventType = (typeof sessionEventTypes)[number]

/**
 * Why a session is `ended`:
 *
 * - `signed-out`, `regenerated`: a short while ago, by `destroy`; by `regenerateId` or `signIn`.
 * - `revoked`: by `revoke` or `revokeAll`, or since its user signed in on more devices than `maxSessionsPerUser`.
 * - `mark-lost`: the store has lost the list of its user's sessions, or the secret that it is under is no longer listed.
 */
export type EndReason = 'signed-out' | 'regenerated' | 'revoked' | 'mark-lost'

/** One event, for logs and metrics. It never holds a token, a key or session data. */
export interface SessionEvent {
  /** What happened. */
  type: SessionEventType
  /** Milliseconds since the epoch, by the manager's `now`. */
  at: number
  /** How long the load or the save took, in milliseconds. */
  durationMs?: number
  /** Store operations that the load or the save took. */
  roundTrips?: number
  /** Only on `ended`. */
  reason?: EndReason
  /** Host and port, without credentials; only on `server-…`. */
  server?: string
  /** How many records were evicted; only on `server-evicting`. */
  count?: number
  /** Since when, in milliseconds since the epoch; only with `count`. */
  since?: number
  /** What the store failed with; only on `store-error` and `server-down`. */
  error?: unknown
}
