import { Breaker } from './breaker.ts'
import { Notices, type Notice, type NoticeListener } from './notices.ts'

/** Why an operation was not sent, or not waited for. */
export class GateError extends Error {
  readonly code: 'ERR_BREAKER_OPEN' | 'ERR_TOO_MANY_WAITING' | 'ERR_STORE_CLOSED'

  constructor(code: GateError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** How many times `maxInFlight` may wait, with what follows. */
const FOLLOWING_FACTOR = 4

/**
 * Who may ask one server, and who is told what becomes of it. One that keeps failing is left alone: until a probe is
 * answered, operations fail at once (F4).
 */
export class Gate {
  readonly notices: Notices
  readonly #maxInFlight: number
  readonly #probe: () => void
  readonly #breaker = new Breaker()
  #isClosed = false
  #lastFailure: Error | undefined
  #probeTimer: ReturnType<typeof setTimeout> | undefined

  /**
   * @param server - host and port, for those who watch
   * @param probe - asks the server, never with a visitor's operation; what comes of it is told as of any other
   */
  constructor(server: string, maxInFlight: number, probe: () => void) {
    this.notices = new Notices(server)
    this.#maxInFlight = maxInFlight
    this.#probe = probe
  }

  /** Of a server that is down already, that is told at once. */
  watch(listener: NoticeListener): void {
    this.notices.add(listener)
    if (this.#breaker.isOpen) this.notices.tell(this.#down(), [listener])
  }

  /**
   * Why an operation is not sent now. Where too many wait, that is one that begins a request's work; what follows was
   * promised an answer by it, and is let through while it still fits into memory (F4).
   */
  refusal(waiting: number, follows: boolean): GateError | undefined {
    if (this.#isClosed) return storeClosed()
    if (this.#breaker.isOpen) {
      const cause = this.#lastFailure
      const message = `the server keeps failing and is not asked: ${cause?.message}`
      return new GateError('ERR_BREAKER_OPEN', message, { cause })
    }
    const most = follows ? this.#maxInFlight * FOLLOWING_FACTOR : this.#maxInFlight
    if (waiting < most) return undefined
    const message = `maxInFlight: ${most} operations are waiting for the server`
    return new GateError('ERR_TOO_MANY_WAITING', message)
  }

  answered(): void {
    const wasDown = this.#breaker.isOpen
    this.#breaker.succeeded()
    if (wasDown) this.notices.tell({ type: 'server-up' })
  }

  /** `isLasting`: asking again does not mend it. */
  failed(reason: Error, isLasting: boolean): void {
    if (this.#isClosed) return
    this.#lastFailure = reason
    const wasDown = this.#breaker.isOpen
    const pauseMs = this.#breaker.failed(performance.now(), isLasting)
    if (pauseMs === undefined) return
    this.#probeTimer = setTimeout(this.#probe, pauseMs).unref()
    if (!wasDown) this.notices.tell(this.#down())
  }

  /** From now on everything is refused. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#probeTimer)
  }

  #down(): Notice {
    return { type: 'server-down', error: this.#lastFailure }
  }
}

export function storeClosed(): GateError {
  return new GateError('ERR_STORE_CLOSED', 'the store has been closed')
}
