import { Server } from 'memjs'
import { Gate, storeClosed } from '../gate.ts'
import { serverName, type ServerAddress } from './address.ts'
import { Link } from './link.ts'
import { encodeRequest, Opcode, type Exchange, type Reply } from './protocol.ts'
import { ServerWatch } from './server-watch.ts'
import type { ConnectionOptions } from './settings.ts'

/**
 * memjs's `Server` with its network half replaced: `Client.perform` calls `onResponse`, `onError` and `write`, in this
 * order and in one turn, and nothing else. An operation is answered exactly or fails, and always within its deadline.
 *
 * It connects when it is first written to, and anew after a failure. When nothing is in flight it keeps no process alive.
 */
export class Connection extends Server {
  readonly gate: Gate
  readonly #options: ConnectionOptions
  readonly #watch: ServerWatch
  #link: Link | undefined
  #answer: (reply: Reply) => void = () => {}
  #fail: (error: Error) => void = () => {}

  constructor({ host, port }: ServerAddress, options: ConnectionOptions) {
    // Without a user and a password memjs would take those of the environment (M11).
    super(host, port, 'unused', 'unused')
    this.#options = options
    this.gate = new Gate(serverName({ host, port }), options.maxInFlight, () => this.#probe())
    this.#watch = new ServerWatch(this.gate.notices)
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

  /** Ends at once: what is in flight fails, and so does everything later. */
  override close(): void {
    this.gate.close()
    this.#link?.end(storeClosed())
  }

  /** Why an operation is not sent now; `follows`: its request was served before. */
  refusal(follows: boolean): Error | undefined {
    return this.gate.refusal(this.#link?.load ?? 0, follows)
  }

  #send(exchange: Exchange): void {
    if (!this.#link || this.#link.hasEnded) {
      this.#link = new Link(this, this.#options, this.gate, this.#watch)
    }
    this.#link.send(exchange)
  }

  /** Never with a visitor's operation. Its answer closes the breaker, its failure brings the next probe. */
  #probe(): void {
    this.#send({ request: encodeRequest({ opcode: Opcode.noop, key: '' }, 0), answer() {}, fail() {} })
  }
}
