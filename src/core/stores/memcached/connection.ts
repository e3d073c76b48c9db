import { Server } from 'memjs'
import { Breaker } from '../breaker.ts'
import { Notices, type Notice, type NoticeListener } from '../notices.ts'
import { serverName, type ServerAddress } from './address.ts'
import { Link, type Exchange } from './link.ts'
import { MemcachedError, type MemcachedErrorCode } from './memcached-error.ts'
import { encodeRequest, Opcode, type Reply } from './protocol.ts'
import { ServerWatch } from './server-watch.ts'
import type { ConnectionOptions } from './settings.ts'

/**
 * memjs's `Server` with its network half replaced: `Client.perform` calls `onResponse`, `onError` and `write`, in this
 * order and in one turn, and nothing else. An operation is answered exactly or fails, and always within its deadline.
 *
 * It connects when it is first written to, and anew after a failure. A server that keeps failing is left alone: until a
 * probe is answered, operations fail at once. When nothing is in flight it keeps no process alive.
 */
export class Connection extends Server {
  readonly #options: ConnectionOptions
  readonly #breaker = new Breaker()
  readonly #notices: Notices
  readonly #watch: ServerWatch
  #link: Link | undefined
  #closed = false
  #lastFailure: NodeJS.ErrnoException | undefined
  #probeTimer: ReturnType<typeof setTimeout> | undefined
  #answer: (reply: Reply) => void = () => {}
  #fail: (error: Error) => void = () => {}

  constructor({ host, port }: ServerAddress, options: ConnectionOptions) {
    // Without a user and a password memjs would take those of the environment (M11).
    super(host, port, 'unused', 'unused')
    this.#options = options
    this.#notices = new Notices(serverName({ host, port }))
    this.#watch = new ServerWatch(this.#notices)
  }

  /** memjs only hands the answer on, so it need not have the shape that memjs itself would give it. */
  override onResponse(_seq: number, answer: (reply: never) => void): void {
    this.#answer = answer as (reply: Reply) => void
  }

  override onError(_seq: number, fail: (error: Error) => void): void {
    this.#fail = fail
  }

  override write(request: Buffer): void {
    const refusal = this.refusal(true)
    if (refusal) this.#fail(refusal)
    else this.#send({ request, answer: this.#answer, fail: this.#fail })
  }

  /** Of a server that is down already, that is told at once. */
  watch(listener: NoticeListener): void {
    this.#notices.add(listener, this.#breaker.isOpen ? this.#down() : undefined)
  }

  /** Ends at once: what is in flight fails, and so does everything later. */
  override close(): void {
    this.#closed = true
    clearTimeout(this.#probeTimer)
    this.#link?.end(new MemcachedError('ERR_STORE_CLOSED'))
  }

  /**
   * Why an operation is not sent now. Where too many wait, that is one that begins a request's work; what follows was
   * promised an answer by it, and is let through while it still fits into memory (F4).
   */
  refusal(follows: boolean): Error | undefined {
    if (this.#closed) return new MemcachedError('ERR_STORE_CLOSED')
    if (this.#breaker.isOpen) {
      const cause = this.#lastFailure
      return new MemcachedError('ERR_BREAKER_OPEN', cause?.message, { cause })
    }
    const { maxInFlight } = this.#options
    const most = follows ? maxInFlight * FOLLOWING_FACTOR : maxInFlight
    if ((this.#link?.load ?? 0) < most + this.#watch.load) return undefined
    const what = `maxInFlight: ${most} operations are waiting for the server`
    return new MemcachedError('ERR_TOO_MANY_WAITING', what)
  }

  #send(exchange: Exchange): void {
    if (!this.#link || this.#link.hasEnded) this.#link = this.#connect()
    this.#link.send(exchange)
  }

  #connect(): Link {
    this.#watch.connectionBegins()
    const link = new Link({ host: this.host, port: this.port }, this.#options, {
      answered: () => this.#countAnswer(),
      failed: (reason, oldest) => {
        this.#watch.connectionFailed(oldest)
        this.#countFailure(reason)
      },
      turnEnded: (now) => this.#watch.ask(now, (exchange) => link.send(exchange)),
    })
    return link
  }

  #countAnswer(): void {
    const wasDown = this.#breaker.isOpen
    this.#breaker.succeeded()
    if (wasDown) this.#notices.tell({ type: 'server-up' })
  }

  #countFailure(reason: NodeJS.ErrnoException): void {
    if (this.#closed) return
    this.#lastFailure = reason
    const wasDown = this.#breaker.isOpen
    const pauseMs = this.#breaker.failed(performance.now(), LASTING.has(reason.code))
    if (pauseMs === undefined) return
    this.#probeTimer = setTimeout(() => this.#probe(), pauseMs).unref()
    if (!wasDown) this.#notices.tell(this.#down())
  }

  #down(): Notice {
    return { type: 'server-down', error: this.#lastFailure }
  }

  /** Never with a visitor's operation. Its answer closes the breaker, its failure brings the next probe. */
  #probe(): void {
    this.#send({ request: encodeRequest({ opcode: Opcode.noop }, 0), answer() {}, fail() {} })
  }
}

/** How many times `maxInFlight` may wait, with what follows. */
const FOLLOWING_FACTOR = 4

/** What asking again does not mend. */
const LASTING: ReadonlySet<string | undefined> = new Set<MemcachedErrorCode>([
  'ERR_SIGN_IN_MISSING', 'ERR_SIGN_IN_REFUSED', 'ERR_SIGN_IN_UNSUPPORTED',
]) // prettier-ignore
