import { connect, type Socket } from 'node:net'
import { Header, Server, Utils, type Response } from 'memjs'
import type { ServerAddress } from './address.ts'

/** What bounds a {@link Connection}. */
export interface ConnectionLimits {
  /** Milliseconds from the call to the answer, connecting included. */
  operationTimeoutMs: number
  /** Milliseconds for connecting. */
  connectTimeoutMs: number
  /** The largest value that a reply may carry. */
  maxBytes: number
}

/**
 * memjs's `Server` with its network half replaced: `Client.perform` calls `onResponse`, `onError` and `write`, in this
 * order and in one turn, and nothing else. An operation is answered exactly or fails, and always within its deadline.
 *
 * It connects when it is first written to, and anew after a failure. When nothing is in flight it keeps no process alive.
 */
export class Connection extends Server {
  readonly #limits: ConnectionLimits
  #link: Link | undefined
  #closed = false
  #answer: (response: Response) => void = () => {}
  #fail: (error: Error) => void = () => {}

  constructor({ host, port }: ServerAddress, limits: ConnectionLimits) {
    // Without a user and a password memjs would take those of the environment (M11).
    super(host, port, 'unused', 'unused')
    this.#limits = limits
  }

  override onResponse(_seq: number, answer: (response: Response) => void): void {
    this.#answer = answer
  }

  override onError(_seq: number, fail: (error: Error) => void): void {
    this.#fail = fail
  }

  override write(request: Buffer): void {
    if (this.#closed) return this.#fail(new Error('the store has been closed'))
    if (!this.#link || this.#link.ended) this.#link = new Link(this.host, this.port, this.#limits)
    this.#link.send({
      request,
      deadline: performance.now() + this.#limits.operationTimeoutMs,
      answer: this.#answer,
      fail: this.#fail,
    })
  }

  /** Ends at once: what is in flight fails, and so does everything later. */
  override close(): void {
    this.#closed = true
    this.#link?.end(new Error('the store has been closed'))
  }
}

interface Exchange {
  request: Buffer
  deadline: number
  answer: (response: Response) => void
  fail: (error: Error) => void
}

const HEADER_BYTES = 24
/** What a reply may hold besides the value: flags, or the text of an error. */
const REPLY_OVERHEAD_BYTES = 1024

/**
 * One socket and all that belongs to it: its receive buffer (M3), its requests in flight, its timer. It fails once,
 * as a whole, and is then thrown away, so nothing of an old socket can reach a new one.
 */
class Link {
  ended = false
  readonly #socket: Socket
  readonly #limits: ConnectionLimits
  readonly #connectDeadline: number
  #connected = false
  #outgoing: Buffer[] = []
  /** Oldest first, the order in which memcached answers. */
  readonly #inFlight: Exchange[] = []
  #received: Buffer[] = []
  #receivedBytes = 0
  #awaitedBytes = HEADER_BYTES
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(host: string, port: number, limits: ConnectionLimits) {
    this.#limits = limits
    this.#connectDeadline = performance.now() + limits.connectTimeoutMs
    this.#socket = connect({ host, port })
      .setNoDelay()
      .on('connect', () => {
        this.#connected = true
        // What keeps the process alive is the timer, which runs exactly while something is in flight.
        this.#socket.unref()
        this.#flush()
      })
      .on('data', (chunk: Buffer) => this.#receive(chunk))
      .on('error', (error) => this.end(error))
      // A server that closes in peace leaves requests behind just like one that breaks (M1).
      .on('end', () => this.end(new Error('the server closed the connection')))
      .on('close', () => this.end(new Error('the connection was lost')))
  }

  send(exchange: Exchange): void {
    if (this.#inFlight.push(exchange) === 1) this.#watch()
    // One write for all requests of an event-loop turn: a system call costs more than the rest of an operation (M12).
    if (this.#outgoing.push(exchange.request) === 1) setImmediate(() => this.#flush())
  }

  end(reason: Error): void {
    if (this.ended) return
    this.ended = true
    clearTimeout(this.#timer)
    this.#socket.destroy()
    this.#outgoing = []
    this.#received = []
    for (const { fail } of this.#inFlight.splice(0)) fail(reason)
  }

  #flush(): void {
    const requests = this.#outgoing
    if (!this.#connected || requests.length === 0) return
    this.#outgoing = []
    this.#socket.write(requests.length === 1 ? requests[0]! : Buffer.concat(requests))
  }

  #receive(chunk: Buffer): void {
    if (this.ended) return
    this.#received.push(chunk)
    this.#receivedBytes += chunk.length
    while (this.#receivedBytes > 0) {
      const oldest = this.#inFlight[0]
      if (!oldest) return this.end(new Error('the server sent bytes that nobody had asked for'))
      // Joined only once a header or a reply is complete: a reply in a thousand pieces is copied twice, not a thousand times.
      if (this.#receivedBytes < this.#awaitedBytes) return
      const bytes = this.#received.length > 1 ? Buffer.concat(this.#received) : this.#received[0]!
      const mismatch = findMismatch(bytes, oldest.request, this.#limits.maxBytes)
      if (mismatch) return this.end(new Error(`the reply does not fit the request: ${mismatch}`))
      const replyBytes = HEADER_BYTES + bytes.readUInt32BE(8)
      if (bytes.length < replyBytes) {
        this.#received = [bytes]
        this.#awaitedBytes = replyBytes
        return
      }
      this.#received = [bytes.subarray(replyBytes)]
      this.#receivedBytes = bytes.length - replyBytes
      this.#awaitedBytes = HEADER_BYTES
      this.#inFlight.shift()
      oldest.answer(Utils.parseMessage(bytes.subarray(0, replyBytes)))
    }
    this.#received = []
    if (this.#inFlight.length === 0) clearTimeout(this.#timer)
  }

  /**
   * Replies come in order, so watching the oldest request is watching all (M2), and a server that owes it an answer has
   * stalled: later ones would only wait behind it. The timer is not moved with each reply but set again when it fires.
   */
  #watch(): void {
    clearTimeout(this.#timer)
    const oldest = this.#inFlight[0]
    if (!oldest) return
    const deadline = this.#connected ? oldest.deadline : Math.min(oldest.deadline, this.#connectDeadline)
    const remaining = deadline - performance.now()
    if (remaining > 0) {
      this.#timer = setTimeout(() => {
        // After a blocked event loop timers run before the sockets are read, and the answer may be there already.
        setImmediate(() => this.#watch())
      }, remaining)
    } else {
      this.end(new Error(this.#connected ? 'no answer in time' : 'no connection in time'))
    }
  }
}

/** Says what is wrong with a reply's header (M3); memjs's `parseMessage` would wait for ever for impossible lengths. */
function findMismatch(reply: Buffer, request: Buffer, maxBytes: number): string | undefined {
  const { magic, opcode, opaque, extrasLength, keyLength, totalBodyLength } = Header.fromBuffer(reply)
  if (magic !== 0x81) return 'magic'
  if (opcode !== request[1]) return 'opcode'
  if (opaque !== request.readUInt32BE(12)) return 'opaque'
  if (extrasLength + keyLength > totalBodyLength) return 'lengths'
  if (totalBodyLength > maxBytes + REPLY_OVERHEAD_BYTES) return 'too long'
  return undefined
}
