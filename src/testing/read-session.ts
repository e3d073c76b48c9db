import { SESSION, wrong, type SessionData, type SessionManager } from '../core/index.ts'

/**
 * A response that sets cookies, or the Cookie header that a browser sends. A response is a `Response`, or what has Node's
 * headers, as those of supertest and of Fastify's `inject`.
 */
export type HeldBy =
  | string
  | { readonly headers: Pick<Headers, 'getSetCookie'> }
  | {
      readonly headers: {
        readonly [name: string]: unknown
        readonly 'set-cookie'?: string | readonly string[] | undefined
      }
    }

/**
 * The data of the session that a browser holds after this response, or that sends this Cookie header; `undefined` when
 * there is none, or none any more. Nothing is written, and the session's idle timeout is not restarted. For what a
 * user's sessions are, see `manager.listSessions`.
 *
 * Rejects with `TypeError` for anything else, and for a response that sets no session cookie: a session that was there
 * before keeps its token, so ask with the Cookie header of the request. `StoreUnavailableError` when the store cannot be asked.
 *
 * @example
 * const response = await app.request('/login', { method: 'POST' })
 * expect(await readSession(manager, response)).toEqual({ cart: [] })
 */
export async function readSession<Data extends SessionData<Data>>(
  manager: SessionManager<Data>,
  response: HeldBy,
): Promise<Partial<Data> | undefined> {
  const cookie = cookieHeaderOf(response, manager.open(null)[SESSION])
  const session = manager.open(cookie, { renew: () => false })
  return (await session.exists()) ? session.entries() : undefined
}

function cookieHeaderOf(response: HeldBy, name: string): string {
  if (typeof response === 'string') return response
  const pairs = setCookiesOf(response).map((cookie) => cookie.split(';')[0]!.trim())
  const own = pairs.findLast((pair) => pair.startsWith(`${name}=`))
  if (own !== undefined) return own
  throw new TypeError(
    `response: expected one that sets ${name}, got one that leaves it as it was; hand in the Cookie header of its request`,
  )
}

function setCookiesOf(response: Exclude<HeldBy, string>): readonly string[] {
  const headers: unknown = (response as { headers?: unknown } | null | undefined)?.headers
  if (typeof headers !== 'object' || headers === null) {
    throw wrong('response', "a Response, one of supertest's, or a Cookie header", response)
  }
  if ('getSetCookie' in headers) return (headers as Headers).getSetCookie()
  const { 'set-cookie': cookies = [] } = headers as { 'set-cookie'?: string | readonly string[] }
  return typeof cookies === 'string' ? [cookies] : cookies
}
