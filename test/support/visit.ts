import type { CommitResponse, OpenOptions, Session, SessionManager } from '../../src/core/index.ts'

export interface Visit<Result> {
  result: Result
  headers: Headers
  setCookie: string | undefined
  /** What a browser would send next. */
  cookie: string
  /** What the commit rejected with. */
  error: unknown
}

/** One request: opens the session, runs the handler, commits into fresh headers. */
export async function visit<Result>(
  manager: SessionManager,
  cookie: string | undefined,
  handler: (session: Session) => Result | Promise<Result>,
  response: Partial<CommitResponse> = {},
  options: OpenOptions = {},
): Promise<Visit<Awaited<Result>>> {
  const session = manager.open(cookie, options)
  const result = await handler(session)
  const headers = (response.headers as Headers | undefined) ?? new Headers()
  let error: unknown
  try {
    await manager.commit(session, () => ({ status: 200, ...response, headers }))
  } catch (reason) {
    error = reason
  }
  const [setCookie] = headers.getSetCookie()
  return { result, headers, setCookie, cookie: setCookie?.split(';')[0] ?? cookie ?? '', error }
}

/** As `visit`, for a request that is expected to succeed. */
export async function visitOk<Result>(
  manager: SessionManager,
  cookie: string | undefined,
  handler: (session: Session) => Result | Promise<Result>,
): Promise<Visit<Awaited<Result>>> {
  const done = await visit(manager, cookie, handler)
  if (done.error) throw done.error
  return done
}

export const tokenOf = (cookie: string): string => cookie.slice(cookie.indexOf('=') + 1)
