import { checkNames, type SessionData, type SessionManager, type SessionTimeouts } from '../core/index.ts'

/** What {@link issueSession} takes besides the data. */
export interface IssueOptions {
  /** Who signs in (`signIn`): the session is listed as his, and can be revoked. Default: nobody, an anonymous session. */
  user?: string | undefined
  /** Timeouts of the session's own, as `signIn` and `setTimeouts` take them. Default: the manager's. */
  timeouts?: SessionTimeouts | undefined
}

/**
 * Begins a session with this data and gives the Cookie header of the browser that would hold it, `name=token`: a
 * visitor, signed in where there is a `user`, for the tests of an application. Hand the same manager to the adapter.
 *
 * Throws `TypeError` when there is neither data nor a user, since a session without either is never begun, and what `signIn`
 * and `setTimeouts` throw. Rejects as a commit does: `SessionDataError` for what JSON cannot hold, `StoreUnavailableError`
 * when the store cannot be reached.
 *
 * @example
 * const app = new Hono().use(session(manager))
 * const cookie = await issueSession(manager, { cart: ['rope'] }, { user: 'u1' })
 * const response = await app.request('/account', { headers: { cookie } })
 */
export async function issueSession<Data extends SessionData<Data>>(
  manager: SessionManager<Data>,
  data: Partial<NoInfer<Data>>,
  options: IssueOptions = {},
): Promise<string> {
  checkNames('options', options, ['user', 'timeouts'])
  const { user, timeouts } = options
  const session = manager.open(null)
  for (const key of Object.keys(data) as (keyof Data & string)[]) session.set(key, data[key])
  if (user !== undefined) session.signIn(user, timeouts)
  else if (timeouts) session.setTimeouts(timeouts)
  const headers = new Headers()
  await manager.commit(session, () => ({ status: 200, headers }))
  const cookie = headers.getSetCookie()[0]?.split(';')[0]
  if (cookie === undefined) {
    throw new TypeError('data: expected at least one value, or a user, to begin a session with')
  }
  return cookie
}
