import type { IncomingMessage, ServerResponse } from 'node:http'
import { createSessionManager, SessionStateError } from '../core/index.ts'
import type {
  CommitResponse,
  ResponseHeaders,
  Session,
  SessionData,
  SessionManager,
  SessionOptions,
} from '../core/index.ts'

/** What the middleware adds to the request. */
export interface SessionRequest<Data extends SessionData<Data> = Record<string, any>> {
  session: Session<Data>
}

/** As Express, connect and their like take it. */
export type NodeMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/**
 * Middleware for Express, connect and plain `node:http`: the request's session as `request.session`, committed when the
 * handler begins to answer. `writeHead`, `flushHeaders`, `write` and `end` wait for the commit; meanwhile `write`
 * returns false, and `drain` follows.
 *
 * The answer's status decides: from 500 on changes are dropped. An answer whose commit fails is replaced by a plain 503,
 * or by a plain 500 where repeating would not help: that error is told to `onError` (default `console.error`).
 *
 * Throws `TypeError` or `RangeError` for wrong options.
 *
 * @example
 * const app = express().use(session())
 * app.get('/', async (request, response) => {
 *   response.send(`view ${await request.session.update('views', (n = 0) => n + 1)}`)
 * })
 */
export function session<Data extends SessionData<Data> = Record<string, any>>(
  optionsOrManager: SessionOptions | SessionManager<Data> = {},
  onError: (error: unknown) => void = console.error,
): NodeMiddleware {
  const manager = createSessionManager<Data>(optionsOrManager)
  return (request: IncomingMessage & Partial<SessionRequest<Data>>, response, next) => {
    let isJoined
    try {
      isJoined = manager.joins(request.session)
      if (!isJoined) checkFree(request.session)
    } catch (error) {
      return next(error)
    }
    if (isJoined) return next()
    const session = manager.open(() => request.headers.cookie)
    request.session = session
    const commit = (status: number, headers: ResponseHeaders) =>
      manager.commit(session, new NodeResponse(request, status, headers))
    holdBack(response, commit, onError)
    return next()
  }
}

/** Getters, so that an untouched session costs nothing; of a class, since literals with getters are slow to make. */
class NodeResponse implements CommitResponse {
  readonly status: number
  readonly headers: ResponseHeaders
  readonly #request: IncomingMessage

  constructor(request: IncomingMessage, status: number, headers: ResponseHeaders) {
    this.#request = request
    this.status = status
    this.headers = headers
  }

  get url(): string {
    const { encrypted } = this.#request.socket as { encrypted?: boolean }
    return `${encrypted ? 'https' : 'http'}://${this.#request.headers.host}/`
  }

  get forwardedProto(): string | undefined {
    return this.#request.headers['x-forwarded-proto']?.toString()
  }
}

/** What express-session or cookie-session put there would be missed by them when they save. */
function checkFree(session: unknown): void {
  if (session == null) return
  throw new SessionStateError(
    'ERR_SESSION_MOUNTED_TWICE',
    "request.session is another library's; mount one of the two",
  )
}

const HEADER_METHODS = ['setHeader', 'appendHeader', 'removeHeader'] as const
const METHODS = ['writeHead', 'flushHeaders', 'write', 'end', 'getHeader', ...HEADER_METHODS] as const
/** Their overloads are only passed on here. */
type Method = (...parameters: any[]) => any
type Methods = Record<(typeof METHODS)[number], Method>

/** Keeps back what the handler answers until the commit is done; then sends it, or what a failed commit calls for. */
function holdBack(
  response: ServerResponse,
  commit: (status: number, headers: ResponseHeaders) => Promise<void>,
  onError: (error: unknown) => void,
): void {
  const original = methodsOf(response)
  let phase: 'open' | 'held' | 'sent' | 'refused' = 'open'
  let [isHeadImplicit, isEnded, isDrainAwaited] = [false, false, false]
  const held: { call: () => unknown; callback?: Method | undefined }[] = []

  // Looked up late: Express changes the prototype on the way.
  const inherited = (name: string): unknown => Reflect.get(Object.getPrototypeOf(response), name, response)
  Object.defineProperties(response, {
    headersSent: { configurable: true, get: () => phase === 'held' || inherited('headersSent') },
    writableEnded: { configurable: true, get: () => isEnded || inherited('writableEnded') },
  })

  const overrides: Partial<Record<keyof Methods, Method>> = {
    writeHead(...parameters) {
      // Whoever asks for Node's own `_header` finds it missing, and begins again.
      if (phase !== 'open') return response
      applyHead(response, parameters)
      const { statusCode } = response
      if (!isHeadImplicit) held.push({ call: () => original.writeHead(statusCode) })
      phase = 'held'
      commit(statusCode, responseHeaders(original))
        .then(() => send(statusCode))
        .catch(refuse)
        .catch(() => void response.destroy())
      return response
    },
    flushHeaders: () => hold('flushHeaders', []),
    write(...parameters) {
      hold('write', parameters)
      if (phase === 'held') isDrainAwaited = true
      return phase !== 'held'
    },
    end(...parameters) {
      hold('end', parameters)
      isEnded = true
      return response
    },
  }
  for (const name of HEADER_METHODS) {
    overrides[name] = (...parameters) => {
      if (phase !== 'held') return original[name](...parameters)
      const error = new Error('Cannot change headers after they are sent to the client')
      throw Object.assign(error, { code: 'ERR_HTTP_HEADERS_SENT' })
    }
  }
  for (const [name, override] of Object.entries(overrides) as [keyof Methods, Method][]) {
    const method: Method = (...parameters) => (phase === 'sent' ? original[name] : override)(...parameters)
    Object.assign(response, { [name]: method })
  }

  function hold(name: 'flushHeaders' | 'write' | 'end', parameters: unknown[]): void {
    if (phase === 'open') {
      // As Node does it, so that what others have wrapped around `writeHead` comes before the commit, and once.
      isHeadImplicit = true
      response.writeHead(response.statusCode)
    }
    const callback = parameters.find((each) => typeof each === 'function') as Method | undefined
    if (phase === 'held') held.push({ call: () => original[name](...parameters), callback })
    else if (callback) queueMicrotask(() => callback(new Error('an error was answered in its place')))
  }

  function send(status: number): void {
    phase = 'sent'
    response.statusCode = status
    withoutWrappers(() => {
      for (const { call } of held) if (call() === false) isDrainAwaited = false
    })
    // Where the socket took it all, nobody else tells those who were made to wait.
    if (isDrainAwaited && !isEnded) response.emit('drain')
  }

  async function refuse(error: unknown): Promise<void> {
    const answer = hasAnswer(error) ? error.getResponse() : plainError()
    const body = Buffer.from(await answer.arrayBuffer())
    phase = 'sent'
    if (inherited('headersSent')) response.destroy()
    else {
      for (const name of ['Transfer-Encoding', 'Trailer']) original.removeHeader(name)
      answer.headers.forEach((value, name) => original.setHeader(name, value))
      original.setHeader('Content-Length', body.length)
      response.statusCode = answer.status
      response.statusMessage = ''
      withoutWrappers(() => original.end(body))
    }
    phase = 'refused'
    for (const { callback } of held) callback?.(error)
    // Whoever streams goes on into the void, and so comes to an end.
    if (isDrainAwaited) response.emit('drain')
    if (!hasAnswer(error)) onError(error)
  }

  function withoutWrappers(run: () => void): void {
    const { writeHead } = response
    response.writeHead = original.writeHead
    try {
      run()
    } finally {
      response.writeHead = writeHead
    }
  }
}

/** With what other middleware has wrapped around them so far. */
function methodsOf(response: ServerResponse): Methods {
  return Object.fromEntries(METHODS.map((name) => [name, response[name].bind(response)])) as Methods
}

function responseHeaders({ getHeader, setHeader, removeHeader }: Methods): ResponseHeaders {
  return {
    get: getHeader,
    set: setHeader,
    // Node's own would call the `setHeader` that refuses by then.
    append: (name, value) => setHeader(name, [getHeader(name) ?? [], value].flat()),
    delete: removeHeader,
  }
}

/** What `writeHead` is given wins over what was set before, and may name a header twice in a list, as in Node. */
function applyHead(response: ServerResponse, [status, message, headers]: any[]): void {
  response.statusCode = status
  if (typeof message === 'string') response.statusMessage = message
  else headers ??= message
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value as string)
    return
  }
  const flat = Array.isArray(headers[0]) ? headers.flat(1) : headers
  const names = flat.filter((_, index) => index % 2 === 0)
  for (const name of names) response.removeHeader(name)
  names.forEach((name, index) => response.appendHeader(name, flat[2 * index + 1]))
}

function hasAnswer(error: unknown): error is { getResponse: () => Response } {
  return error instanceof Error && 'getResponse' in error && typeof error.getResponse === 'function'
}

function plainError(): Response {
  return new Response('Internal Server Error', {
    status: 500,
    headers: { 'Content-Type': 'text/plain;charset=UTF-8' },
  })
}
