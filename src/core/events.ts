/**
 * What happened to a session (ASVS 16.3.3):
 *
 * - `created`, `loaded`, `saved`, `regenerated`, `destroyed`: as named, by this request.
 * - `signed-in`: `signIn` was committed.
 * - `revoked`: somebody called `revoke` or `revokeAll`.
 * - `expired`: the cookie names a session past its absolute timeout.
 * - `ended`: the cookie names a session that was ended; `reason` says how.
 * - `missing`: a session that this request had loaded was gone when it committed; nothing was written.
 * - `invalid`: a stored record could not be opened or understood; the visitor counts as unknown.
 * - `dropped`: changes were not written, because the handler failed, the session had ended, or a socket closed
 *   before `save()`.
 * - `conflict`: another request wrote first; the changes are replayed on the newer record.
 * - `duplicate-cookie`: the request carried two live sessions; both are refused.
 * - `cookie-lost`: a cookie was to be sent or cleared, and the response's head had left.
 * - `insecure-cookie`: a Secure cookie goes out over plain http, where the browser drops it; once per manager.
 * - `cache-overridden`: the handler's `public` or `s-maxage` was replaced, because the response sets the cookie.
 * - `store-error`: a store operation failed; `error` says why.
 */
// prettier-ignore
export type SessionEventType =
  | 'created' | 'loaded' | 'saved' | 'regenerated' | 'signed-in' | 'destroyed' | 'revoked' | 'expired' | 'ended'
  | 'missing' | 'invalid'
  | 'dropped' | 'conflict' | 'duplicate-cookie' | 'cookie-lost' | 'insecure-cookie' | 'cache-overridden' | 'store-error'

/**
 * Why a session is `ended`:
 *
 * - `signed-out`, `regenerated`: moments ago, by `destroy`; by `regenerateId` or `signIn`.
 * - `revoked`: by `revoke` or `revokeAll`, or since its user signed in on more devices than `maxSessionsPerUser`.
 * - `mark-lost`: the store has lost the list of its user's sessions, or the secret that it is under is no longer listed.
 */
export type EndReason = 'signed-out' | 'regenerated' | 'revoked' | 'mark-lost'

/** One event, for logs and metrics. It never holds a token, a key or session data. */
export interface SessionEvent {
  type: SessionEventType
  /** Milliseconds since the epoch, by the manager's `now`. */
  at: number
  /** How long the load or the save took, in milliseconds. */
  durationMs?: number
  /** Store operations that the load or the save took. */
  roundTrips?: number
  /** Only on `ended`. */
  reason?: EndReason
  /** What the store failed with; only on `store-error`. */
  error?: unknown
}
