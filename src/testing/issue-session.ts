import type { SessionData, SessionManager } from '../core/index.ts'

/**
 * Begins a session with this data and gives the Cookie header of the browser that would hold it, `name=token`: a
 * visitor who is signed in, for the tests of an application. Hand the same manager to the adapter.
 *
 * Throws `TypeError` when there is no data, since a session without any is never begun. Rejects as a commit does:
 * `SessionDataError` for what JSON cannot hold, `StoreUnavailableError` when the store cannot be reached.
 *
 * @example
 * const app = new Hono().use(session(manager))
 * const cookie = await issueSession(manager, { userId: 'u1' })
 * const response = await app.request('/account', { headers: { cookie } })
 */
export async function issueSession<Data extends SessionData<Data>>(
  manager: SessionManager<Data>,
  data: Partial<NoInfer<Data>>,
): Promise<string> {
  const session = manager.open(null)
  for (const key of Object.keys(data) as (keyof Data & string)[]) session.set(key, data[key])
  const headers = new Headers()
  await manager.commit(session, () => ({ status: 200, headers }))
  const cookie = headers.getSetCookie()[0]?.split(';')[0]
  if (cookie === undefined) throw new TypeError('data: expected at least one value to begin a session with')
  return cookie
}
