import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { checkMount, commitInTurn, createSessionManager, hasAnswer, joined } from '../core/index.ts'
import { MOUNTED, sessionProperty, withMounted } from '../core/index.ts'
import type { CommitResponse, Mounted, Session } from '../core/index.ts'
import type { SessionData, SessionManager, SessionOptions } from '../core/index.ts'
import { withoutShape } from './node-shape.ts'

/** What the middleware adds to the request. */
export type SessionRequest<
  Data extends SessionData<Data> = Record<string, any>,
  As extends string = 'session',
> = { readonly [Property in As]: Session<Data> }

/** As Express, connect and their like take it. The request is Node's own, of HTTP/1 or HTTP/2; the response need not be. */
export type NodeMiddleware = (request: NodeRequest, response: object, next: (error?: any) => void) => void
type NodeRequest = (IncomingMessage | Http2ServerRequest) & { upgrade?: boolean }
/** @inline As a method, whose parameter may be narrower: Express's request. */
type Renew = { renew(request: NodeRequest): boolean }['renew'] | undefined

/**
 * Middleware for Express, connect and plain `node:http`: the request's session as `request.session`, committed when the
 * handler begins to answer. `writeHead`, `flushHeaders`, `write` and `end` wait for the commit; meanwhile `write` returns
 * false, and `drain` follows. On an upgrade, and where the response is not Node's own, nothing waits: `save()` saves there.
 *
 * - `as`: another name for the session, for a second manager. To assign over it throws a `TypeError`.
 * - `renew(request)`: whether it counts as use (ASVS 7.3.1), asked at the first read. Default: it does.
 * - `onError(error)`: told of what a plain 500 is answered for. Default `console.error`.
 *
 * The answer's status decides: from 500 on changes are dropped. An answer whose commit fails is replaced by a plain 503,
 * or by a plain 500 where repeating would not help. Throws `TypeError` or `RangeError` for wrong options.
 *
 * @example
 * const app = express().use(session())
 * app.get('/', async ({ session }, response) => void response.send(await session.get('name')))
 */
export function session<Data extends SessionData<Data> = Record<string, any>>(
  optionsOrManager: SessionOptions | SessionManager<Data> = {},
  options: { as?: string | undefined; renew?: Renew; onError?: ((error: unknown) => void) | undefined } = {},
): NodeMiddleware {
  const manager = createSessionManager<Data>(optionsOrManager)
  const { as, renew, onError = console.error } = checkMount(options, ['as', 'renew', 'onError'])
  const name = `request.${as}`
  const slot = Symbol(name)
  const property = sessionProperty(as, slot, name)
  const open = manager.opener<{ request: NodeRequest; response: object }>({
    cookieHeader: ({ request }) => request.headers?.cookie,
    canSetHeaders: (each) => !each.request.upgrade && inherited(each.response, 'headersSent') === false,
    renew: renew && (({ request }) => renew(request)),
  })
  return function session(request: NodeRequest & Record<PropertyKey, any>, response, next) {
    try {
      const mounted: unknown = request[MOUNTED]
      const own = joined(manager, mounted, request[as], name)
      const session = own ?? open({ request, response })
      if (request[as] !== session) Object.defineProperty(withoutShape(request), as, property)
      request[slot] = session
      if (!own) {
        request[MOUNTED] = withMounted(mounted, session)
        // No answer will end an upgrade, so its socket does (L3); a little later, for those who save when it closes.
        if (request.upgrade) request.socket?.once?.('close', () => setImmediate(() => manager.drop(session)))
        // Node's own, and no others, inherit whether the head has left.
        else if (typeof inherited(response, 'headersSent') === 'boolean')
          takeOver(response as ServerResponse, { manager, session, onError, outer: undefined })
      }
    } catch (error) {
      return next(error)
    }
    return next()
  }
}

/** Where the answer to a request stands. */
interface Answer {
  /** The innermost session until the commit; the one that failed after it. */
  mounted: Mounted
  /**
   * - `open`: the handler has not begun to answer.
   * - `held`: it has, and what it calls is kept until the commit is done.
   * - `sent`: what was kept went out, and what follows is passed on. An untouched session gets here at once.
   * - `refused`: an error was answered in its place, and what follows goes nowhere.
   */
  phase: 'open' | 'held' | 'sent' | 'refused'
  /** As the middleware found them: with what others had wrapped around them before. */
  readonly original: Record<MethodName, Method>
  /** What waits for the commit, in the order of the calls. */
  readonly kept: { name: MethodName; parameters: unknown[] }[]
  /** Nobody called `writeHead`: Node does so at the first byte. */
  isHeadImplicit: boolean
}

const ANSWER = Symbol('holdfast answer')
type Answering = ServerResponse & { [ANSWER]: Answer }
type BodyMethodName = 'flushHeaders' | 'write' | 'end'
type MethodName = 'writeHead' | BodyMethodName | 'setHeader' | 'appendHeader' | 'removeHeader'
type Method = (this: ServerResponse, ...parameters: any[]) => any

/** Puts our methods before the response's own. Shared, they cost 0.6 µs and 1 kB; as closures a request, 7 µs and 11 kB. */
function takeOver(response: ServerResponse, mounted: Mounted): void {
  const begun = (response as Partial<Answering>)[ANSWER]
  if (begun) return void (begun.mounted = { ...mounted, outer: begun.mounted })
  const { writeHead, flushHeaders, write, end, setHeader, appendHeader, removeHeader } = response
  const answer: Answer = {
    mounted,
    phase: 'open',
    original: { writeHead, flushHeaders, write, end, setHeader, appendHeader, removeHeader },
    kept: [],
    isHeadImplicit: false,
  }
  Object.assign(withoutShape(response), { [ANSWER]: answer }, METHODS)
}

const METHODS: Record<'writeHead' | BodyMethodName, (this: Answering, ...parameters: any[]) => unknown> = {
  writeHead(...parameters) {
    const answer = this[ANSWER]
    if (answer.phase === 'sent') return answer.original.writeHead.apply(this, parameters)
    // Whoever asks for Node's own `_header` finds it missing, and begins again.
    if (answer.phase !== 'open') return this
    let description: CommitResponse | undefined
    const committing = commitInTurn(answer, () => {
      if (!description) applyHead(this, parameters)
      return (description ??= described(this, answer))
    })
    if (committing) return hold(this, answer, committing)
    letGo(this, answer)
    const head = description ? [this.statusCode] : parameters
    return answer.isHeadImplicit ? this : answer.original.writeHead.apply(this, head)
  },
  flushHeaders() {
    const answer = begun(this)
    if (answer.phase === 'sent') return answer.original.flushHeaders.apply(this)
    return keep(answer, 'flushHeaders', [])
  },
  write(...parameters) {
    const answer = begun(this)
    if (answer.phase === 'sent') return answer.original.write.apply(this, parameters)
    keep(answer, 'write', parameters)
    return answer.phase !== 'held'
  },
  end(...parameters) {
    const answer = begun(this)
    if (answer.phase === 'sent') return answer.original.end.apply(this, parameters)
    keep(answer, 'end', parameters)
    return this
  },
}

function begun(response: Answering): Answer {
  const answer = response[ANSWER]
  if (answer.phase !== 'open') return answer
  answer.isHeadImplicit = true
  try {
    // As Node does it, so that what others have wrapped around `writeHead` comes before the commit, and once.
    response.writeHead(response.statusCode)
  } finally {
    answer.isHeadImplicit = false
  }
  return answer
}

/** What others have wrapped around `writeHead` has had its say when Node calls it at the first byte. */
function letGo(response: Answering, answer: Answer): void {
  answer.phase = 'sent'
  response.writeHead = answer.original.writeHead
}

function keep({ phase, kept }: Answer, name: BodyMethodName, parameters: unknown[]): void {
  if (phase === 'held') kept.push({ name, parameters })
  else queueMicrotask(() => callBack(parameters, new Error('an error was answered in its place')))
}

function callBack(parameters: unknown[], error: unknown): void {
  for (const each of parameters) if (typeof each === 'function') each(error)
}

function hold(response: Answering, answer: Answer, committing: Promise<void>): Answering {
  answer.phase = 'held'
  const { statusCode } = response
  if (!answer.isHeadImplicit) answer.kept.push({ name: 'writeHead', parameters: [statusCode] })
  Object.defineProperties(response, WHILE_HELD)
  committing
    .then(() => send(response, answer, statusCode))
    .catch((error: unknown) => refuse(response, answer, error))
    .catch(() => void response.destroy())
  return response
}

/** While the answer is held the response looks as if it had gone out. */
const WHILE_HELD: PropertyDescriptorMap & ThisType<Answering> = {
  headersSent: {
    configurable: true,
    get() {
      return this[ANSWER].phase === 'held' || inherited(this, 'headersSent')
    },
  },
  writableEnded: {
    configurable: true,
    get() {
      return isKept(this[ANSWER], 'end') || inherited(this, 'writableEnded')
    },
  },
  setHeader: refusedWhileHeld('setHeader'),
  appendHeader: refusedWhileHeld('appendHeader'),
  removeHeader: refusedWhileHeld('removeHeader'),
}

function isKept({ kept }: Answer, name: BodyMethodName): boolean {
  return kept.some((each) => each.name === name)
}

/** Looked up late: Express changes the prototype on the way. */
function inherited(response: object | null, name: 'headersSent' | 'writableEnded'): unknown {
  return response && Reflect.get(Object.getPrototypeOf(response) ?? {}, name, response)
}

function refusedWhileHeld(name: MethodName): PropertyDescriptor & ThisType<Answering> {
  return {
    configurable: true,
    writable: true,
    value(...parameters: unknown[]) {
      const { phase, original } = this[ANSWER]
      if (phase !== 'held') return original[name].apply(this, parameters)
      const error = new Error('Cannot change headers after they are sent to the client')
      throw Object.assign(error, { code: 'ERR_HTTP_HEADERS_SENT' })
    },
  }
}

/** `statusCode` as it was when the handler began to answer. */
function send(response: Answering, answer: Answer, statusCode: number): void {
  letGo(response, answer)
  response.statusCode = statusCode
  let isDrainAwaited = isKept(answer, 'write')
  for (const { name, parameters } of answer.kept) {
    if (answer.original[name].apply(response, parameters) === false) isDrainAwaited = false
  }
  // Where the socket took it all, nobody else tells those who were made to wait.
  if (isDrainAwaited && !response.writableEnded) response.emit('drain')
}

async function refuse(response: Answering, answer: Answer, error: unknown): Promise<void> {
  // Said outright: Bun leaves the type of a string to whoever sends it.
  const plain = { status: 500, headers: { 'Content-Type': 'text/plain;charset=UTF-8' } }
  const replacement = hasAnswer(error) ? error.getResponse() : new Response('Internal Server Error', plain)
  const body = Buffer.from(await replacement.arrayBuffer())
  letGo(response, answer)
  if (inherited(response, 'headersSent')) response.destroy()
  else {
    for (const name of ['Transfer-Encoding', 'Trailer']) response.removeHeader(name)
    replacement.headers.forEach((value, name) => response.setHeader(name, value))
    response.setHeader('Content-Length', body.length)
    response.statusCode = replacement.status
    if (response.req.httpVersionMajor < 2) response.statusMessage = ''
    answer.original.end.call(response, body)
  }
  answer.phase = 'refused'
  // A logger that fails, now or later, must not cost the process.
  if (!hasAnswer(error)) void new Promise((told) => told(answer.mounted.onError(error))).catch(() => {})
  Object.assign(response, { writeHead: METHODS.writeHead })
  for (const { parameters } of answer.kept) callBack(parameters, error)
  // Whoever streams goes on into the void, and so comes to an end.
  if (isKept(answer, 'write')) response.emit('drain')
}

function described(response: ServerResponse, { original }: Answer): CommitResponse {
  const { socket, headers } = response.req
  // HTTP/2 says it in the request (RFC 9113 §8.3.1).
  const scheme = headers[':scheme'] ?? ((socket as { encrypted?: boolean }).encrypted ? 'https' : 'http')
  const set = (name: string, value: unknown) => original.setHeader.call(response, name, value)
  return {
    status: response.statusCode,
    headers: {
      get: (name) => response.getHeader(name),
      set,
      // Node's own would call the `setHeader` that refuses by then.
      append: (name, value) => set(name, [response.getHeader(name) ?? [], value].flat()),
      delete: (name) => original.removeHeader.call(response, name),
    },
    url: `${scheme}://${headers[':authority'] ?? headers.host}/`,
    forwardedProto: headers['x-forwarded-proto']?.toString(),
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
