import type { OpenOptions, Session, SessionManager } from '../../src/core/index.ts'

/** What a request's commit came to. */
export interface Committed {
  /** What it rejected with. */
  error: unknown
  setCookie: string | undefined
  /** What the browser would send next, if it was sent one; otherwise empty. */
  cookie: string
}

/** A request that has acted on its session, and whose commit is still to come. */
export interface OpenRequest {
  session: Session
  commit(): Promise<Committed>
}

/** A request that has loaded its session before it acts on it. */
export async function openRequest(
  manager: SessionManager,
  cookie: string | undefined,
  handler: (session: Session) => unknown,
  options: OpenOptions = {},
): Promise<OpenRequest> {
  const session = manager.open(cookie, options)
  await session.exists()
  await handler(session)
  return {
    session,
    async commit() {
      const headers = new Headers()
      let error: unknown
      try {
        await manager.commit(session, () => ({ status: 200, headers }))
      } catch (reason) {
        error = reason
      }
      const [setCookie] = headers.getSetCookie()
      return { error, setCookie, cookie: setCookie?.split(';')[0] ?? '' }
    },
  }
}
