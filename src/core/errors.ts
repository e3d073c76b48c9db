/** Of any realm: a test runner has one of its own. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]'
}

/** Stable codes of a {@link SessionError}; compare these, not messages. */
export type SessionErrorCode =
  | 'ERR_STORE_UNAVAILABLE'
  | 'ERR_SESSION_CONFLICT'
  | 'ERR_SESSION_ENDED'
  | 'ERR_SESSION_NOT_SERIALIZABLE'
  | 'ERR_SESSION_TOO_LARGE'
  | 'ERR_SESSION_COMMITTED'
  | 'ERR_SESSION_MOUNTED_TWICE'
  | 'ERR_SESSION_HEADERS_SENT'

/**
 * Base of every error that Holdfast raises at run time. Messages never hold a token, a store key, a secret,
 * credentials or session data (ASVS 16.2.5).
 */
export class SessionError extends Error {
  /** That of its class, written out: what minifies code changes the names of classes. */
  override name: string = 'SessionError'
  /** Stable, machine-readable. */
  readonly code: SessionErrorCode

  constructor(code: SessionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** An error that frameworks answer with a plain 503 by themselves, which says nothing of hosts, keys or stacks (ASVS 16.5.1). */
class RetryLaterError extends SessionError {
  /** For Koa. */
  readonly status = 503
  /** For NestJS. */
  readonly statusCode = 503
  /** For Koa: the message is not shown. */
  readonly expose = false
  /** For Koa: `Retry-After` in seconds (RFC 9110 §10.2.3), `Cache-Control: no-store`. */
  readonly headers: Record<string, string> = { 'Retry-After': '1', 'Cache-Control': 'no-store' }

  /** For Hono and `withSession`: a plain 503 with `headers`. */
  getResponse(): Response {
    // Said outright: Bun leaves the type of a string to whoever sends it.
    const headers = { ...this.headers, 'Content-Type': 'text/plain;charset=UTF-8' }
    return new Response('Service Unavailable', { status: this.status, headers })
  }
}

/** @internal For adapters: whether the error brings its own answer, as the above and Hono's `HTTPException` do. */
export function hasAnswer(error: unknown): error is { getResponse: () => Response } {
  return error instanceof Error && 'getResponse' in error && typeof error.getResponse === 'function'
}

/**
 * The store could not be asked: refused, timed out, lost, or answered nonsense. Never means "not found". `cause` is what
 * happened. Frameworks answer it with a plain 503 by themselves.
 */
export class StoreUnavailableError extends RetryLaterError {
  override name = 'StoreUnavailableError'
  /** What the store was asked: `'get'`, `'replace'` and so on. */
  readonly operation: string

  constructor(operation: string, cause: unknown) {
    super('ERR_STORE_UNAVAILABLE', `the session store did not answer (${operation})`, { cause })
    this.operation = operation
  }
}

/**
 * Other requests kept writing the same session, or took a value first, and nothing of this one was written. Frameworks
 * answer it with a plain 503 by themselves.
 */
export class SessionConflictError extends RetryLaterError {
  override name = 'SessionConflictError'
  constructor(message: string) {
    super('ERR_SESSION_CONFLICT', message)
  }
}

/** The session was ended, or went missing, while this request held it; nothing was written. */
export class SessionEndedError extends SessionError {
  override name = 'SessionEndedError'
  constructor(message: string) {
    super('ERR_SESSION_ENDED', message)
  }
}

/** The data cannot be stored: not JSON, or larger than the store takes. The stored session stays as it was. */
export class SessionDataError extends SessionError {
  override name = 'SessionDataError'
  constructor(code: 'ERR_SESSION_NOT_SERIALIZABLE' | 'ERR_SESSION_TOO_LARGE', message: string) {
    super(code, message)
  }
}

/** The session was used in a way its life does not allow: written after the commit or the head, or mounted twice. */
export class SessionStateError extends SessionError {
  override name = 'SessionStateError'
  constructor(
    code: 'ERR_SESSION_COMMITTED' | 'ERR_SESSION_MOUNTED_TWICE' | 'ERR_SESSION_HEADERS_SENT',
    message: string,
  ) {
    super(code, message)
  }
}
