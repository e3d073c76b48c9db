import { connect, isIP, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import type { Gate } from '../gate.ts'
import type { ServerAddress } from './address.ts'
import { MemcachedError, type MemcachedErrorCode } from './memcached-error.ts'
import { encodeRequest, HEADER_BYTES, Opcode, refusal, Reply, Status, type Exchange } from './protocol.ts'
import type { ServerWatch } from './server-watch.ts'
import type { ConnectionOptions } from './settings.ts'

const KEEP_ALIVE_MS = 30_000

/**
 * One socket and all that belongs to it: its receive buffer (M3), its requests in flight, its timer. It fails once,
 * as a whole, and is then thrown away, so nothing of an old socket can reach a new one.
 */
export class Link {
  readonly #options: ConnectionOptions
  readonly #gate: Gate
  readonly #watch: ServerWatch
  readonly #socket: Socket
  #stage: 'connecting' | 'securing' | 'authenticating' | 'ready' | 'ended' = 'connecting'
  readonly #connectDeadline: number
  #isTurnEnding = false
  #outgoing: Exchange[] = []
  #authentication: Buffer | undefined
  /** Oldest first, the order in which memcached answers. */
  readonly #inFlight: Exchange[] = []
  #received: Buffer[] = []
  #receivedBytes = 0
  #awaitedBytes = HEADER_BYTES
  #timer: ReturnType<typeof setTimeout> | undefined

  /** The gate is told what becomes of what is asked; the watch asks along with it. */
  constructor(address: ServerAddress, options: ConnectionOptions, gate: Gate, watch: ServerWatch) {
    this.#options = options
    this.#gate = gate
    this.#watch = watch
    this.#connectDeadline = performance.now() + options.connectTimeoutMs
    this.#socket = this.#open(address)
      .setNoDelay()
      .setKeepAlive(true, KEEP_ALIVE_MS)
      .on('data', (chunk: Buffer) => this.#receive(chunk))
      .on('error', (error: SocketError) => this.#lose(reasonOf(error), error))
      // A server that closes in peace leaves requests behind just like one that breaks (M1).
      .on('end', () => this.#lose('the server closed the connection'))
      .on('close', () => this.#lose('the connection was lost'))
  }

  get hasEnded(): boolean {
    return this.#stage === 'ended'
  }

  /** Operations that wait for an answer; what the watch asks is none. */
  get load(): number {
    return this.#inFlight.length - this.#watch.load
  }

  send(exchange: Exchange): void {
    this.#inFlight.push(exchange)
    this.#outgoing.push(exchange)
    if (this.#isTurnEnding) return
    this.#isTurnEnding = true
    setImmediate(() => this.#endTurn())
  }

  end(reason: NodeJS.ErrnoException): void {
    if (this.#stage === 'ended') return
    this.#stage = 'ended'
    clearTimeout(this.#timer)
    this.#socket.destroy()
    this.#outgoing = []
    this.#received = []
    const failed = this.#inFlight.splice(0)
    this.#watch.connectionEnded(failed[0])
    // Once, however much it is, and before those who wait.
    if (failed.length > 0) this.#gate.failed(reason, LASTING.has(reason.code))
    for (const { fail } of failed) fail(reason)
  }

  #open({ host, port }: ServerAddress): Socket {
    const { tls } = this.#options
    // Half for the first address of a name, so that one that is dead leaves time for the next.
    const autoSelectFamilyAttemptTimeout = Math.ceil(this.#options.connectTimeoutMs / 2)
    const target = { host, port, autoSelectFamilyAttemptTimeout }
    if (!tls) return connect(target).on('connect', () => this.#authenticate())
    const { ca, cert, key, servername = isIP(host) ? undefined : host } = tls
    const secured = {
      ...target,
      // Not left to the default, which NODE_TLS_REJECT_UNAUTHORIZED changes.
      rejectUnauthorized: true,
      ...(ca !== undefined && { ca: [ca].flat() as (string | Buffer)[] }),
      ...(cert !== undefined && { cert: cert as string | Buffer, key: key as string | Buffer }),
      ...(servername !== undefined && { servername }),
    }
    return connectSecurely(secured)
      .on('connect', () => {
        if (this.#stage === 'connecting') this.#stage = 'securing'
      })
      .on('secureConnect', () => this.#authenticate())
  }

  /** SASL PLAIN, where there are credentials: `authcid` and `passwd` behind NULs (RFC 4616 §2). */
  #authenticate(): void {
    const { credentials } = this.#options
    if (!credentials) return this.#begin()
    this.#stage = 'authenticating'
    const value = Buffer.from(`\0${credentials.username}\0${credentials.password}`)
    this.#authentication = encodeRequest({ opcode: Opcode.authenticate, key: 'PLAIN', value }, 0)
    this.#socket.write(this.#authentication)
  }

  #authenticated({ status }: Reply): void {
    this.#authentication = undefined
    if (status === Status.ok) this.#begin()
    else if (status === Status.authenticationFailed) this.end(new MemcachedError('ERR_SIGN_IN_REFUSED'))
    else if (status === Status.unknown) this.end(new MemcachedError('ERR_SIGN_IN_UNSUPPORTED'))
    else this.end(refusal(status))
  }

  #begin(): void {
    this.#stage = 'ready'
    // What keeps the process alive is the timer, which runs exactly while something is in flight.
    this.#socket.unref()
    if (!this.#isTurnEnding) this.#flush()
  }

  /** Deadlines count from here: what the handler computes before it lets the event loop go on is no fault of the server. */
  #endTurn(): void {
    this.#isTurnEnding = false
    const asked = this.#outgoing
    this.#flush()
    const now = performance.now()
    const deadline = now + this.#options.operationTimeoutMs
    for (const exchange of asked) exchange.deadline ??= deadline
    if (this.#timer === undefined) this.#watchDeadline()
    if (!this.hasEnded) this.#watch.ask(now, this)
  }

  /** One write for all requests of an event-loop turn: a system call costs more than the rest of an operation (M12). */
  #flush(): void {
    const requests = this.#outgoing.map(({ request }) => request)
    if (this.#stage !== 'ready' || requests.length === 0) return
    this.#outgoing = []
    this.#socket.write(requests.length === 1 ? requests[0]! : Buffer.concat(requests))
  }

  #receive(chunk: Buffer): void {
    if (this.#stage === 'ended') return
    this.#received.push(chunk)
    this.#receivedBytes += chunk.length
    // Joined only once a header or a reply is complete: a reply in a thousand pieces is copied twice, not a thousand times.
    if (this.#receivedBytes < this.#awaitedBytes && this.#asked) return
    const bytes = this.#received.length > 1 ? Buffer.concat(this.#received) : chunk
    this.#awaitedBytes = HEADER_BYTES
    let start = 0
    while (start < bytes.length) {
      const asked = this.#asked
      if (!asked) return this.#lose('the server sent bytes that nobody had asked for')
      if (bytes.length - start < HEADER_BYTES) break
      const reply = new Reply(bytes, start)
      const mismatch = reply.mismatchWith(asked)
      if (mismatch) return this.#lose(`the reply does not fit the request: ${mismatch}`)
      const end = reply.end
      if (end > bytes.length) {
        this.#awaitedBytes = end - start
        break
      }
      start = end
      if (this.#authentication) this.#authenticated(reply)
      else this.#answerOldest(reply)
      if (this.hasEnded) return
    }
    this.#received = start < bytes.length ? [bytes.subarray(start)] : []
    this.#receivedBytes = bytes.length - start
    if (this.#inFlight.length > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** The request that the next reply is to answer. */
  get #asked(): Buffer | undefined {
    return this.#authentication ?? this.#inFlight[0]?.request
  }

  #answerOldest(reply: Reply): void {
    if (reply.status === Status.authenticationFailed) {
      return this.end(new MemcachedError('ERR_SIGN_IN_MISSING'))
    }
    const { answer } = (reply.isLast ? this.#inFlight.shift() : this.#inFlight[0])!
    answer(reply)
    // Only now: that a server lets us in does not show that it answers.
    if (!this.hasEnded) this.#gate.answered()
  }

  /**
   * Replies come in order, so watching the oldest request is watching all (M2), and a server that owes it an answer has
   * stalled: later ones would only wait behind it. The timer is not moved with each reply but set again when it fires.
   */
  #watchDeadline(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const deadline = this.#inFlight[0]?.deadline
    if (deadline === undefined || this.#stage === 'ended') return
    const isReady = this.#stage === 'ready'
    const remaining = (isReady ? deadline : Math.min(deadline, this.#connectDeadline)) - performance.now()
    if (remaining > 0) {
      this.#timer = setTimeout(() => {
        // After a blocked event loop timers run before the sockets are read, and the answer may be there already; in
        // Deno it is read only after one more round of timers.
        setTimeout(() => setImmediate(() => this.#watchDeadline()))
      }, remaining)
    } else {
      this.end(new MemcachedError(FAILURES[this.#stage].late))
    }
  }

  #lose(what: string, cause?: SocketError): void {
    if (this.#stage === 'ended') return
    const { lost } = FAILURES[this.#stage]
    const isOfSystem = cause && lost === 'ERR_CONNECT_FAILED'
    this.end(isOfSystem ? Object.assign(cause, { message: what }) : new MemcachedError(lost, what, { cause }))
  }
}

/** What it is in each stage when time is over, and when the connection ends. */
const FAILURES = {
  connecting: { late: 'ERR_CONNECT_TIMEOUT', lost: 'ERR_CONNECT_FAILED' },
  securing: { late: 'ERR_HANDSHAKE_TIMEOUT', lost: 'ERR_HANDSHAKE_FAILED' },
  authenticating: { late: 'ERR_SIGN_IN_TIMEOUT', lost: 'ERR_CONNECT_FAILED' },
  ready: { late: 'ERR_ANSWER_TIMEOUT', lost: 'ERR_CONNECTION_LOST' },
} as const

/** What asking again does not mend. */
const LASTING: ReadonlySet<string | undefined> = new Set<MemcachedErrorCode>([
  'ERR_SIGN_IN_MISSING', 'ERR_SIGN_IN_REFUSED', 'ERR_SIGN_IN_UNSUPPORTED',
]) // prettier-ignore

/** Of a name with several addresses: the code of the first, and the errors of all. */
type SocketError = NodeJS.ErrnoException & { reason?: string; errors?: SocketError[] }

/** OpenSSL's own word where it has one, without addresses and source lines; that of each address of a name. */
function reasonOf({ errors, reason, message }: SocketError): string {
  return errors?.map(reasonOf).join(', ') ?? reason ?? message
}
