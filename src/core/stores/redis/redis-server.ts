import { within } from '../deadline.ts'
import { Gate, storeClosed } from '../gate.ts'
import { happenedBetween, readingOf, type Reading } from './redis-reading.ts'
import type { RedisNode } from './redis-client.ts'

const READ_EVERY_MS = 60_000

/** The bounds of a store. */
export interface Bounds {
  operationTimeoutMs: number
  maxInFlight: number
}

type Ask = () => Promise<unknown>

/** What one server is asked, and what it is known to have gone through. */
export class RedisServer extends Gate {
  readonly #timeoutMs: number
  readonly #node: () => RedisNode | undefined
  /** How each operation in flight is ended before its time. */
  readonly #waiting = new Set<(error: Error) => void>()
  #failedAt = -Infinity
  #readAt = -Infinity
  #last: Reading | undefined

  /** `probe` asks what nobody waits for. */
  constructor(
    name: string,
    { operationTimeoutMs, maxInFlight }: Bounds,
    node: () => RedisNode | undefined,
    probe: Ask,
  ) {
    super(name, maxInFlight, () => void this.#ask(probe).catch(() => {}))
    this.#timeoutMs = operationTimeoutMs
    this.#node = node
  }

  async ask(follows: boolean, send: Ask): Promise<unknown> {
    const refusal = this.refusal(this.#waiting.size, follows)
    if (refusal) throw refusal
    const reply = await this.#ask(send)
    this.#look(performance.now())
    return reply
  }

  override close(): void {
    super.close()
    for (const fail of this.#waiting) fail(storeClosed())
  }

  async #ask(send: Ask): Promise<unknown> {
    const startedAt = performance.now()
    let fail: (error: Error) => void
    const ended = new Promise<never>((_, reject) => this.#waiting.add((fail = reject)))
    try {
      const reply = await within(this.#timeoutMs, () => Promise.race([send(), ended]))
      this.answered()
      return reply
    } catch (error) {
      this.#count(error as Error, startedAt)
      throw error
    } finally {
      this.#waiting.delete(fail!)
    }
  }

  /** What was under way at the last failure is a part of it: a lost connection counts once (F4). */
  #count(error: Error, startedAt: number): void {
    if (isRefused(error) && !OUTAGE.test(error.message)) return this.answered()
    if (startedAt < this.#failedAt) return
    this.#failedAt = performance.now()
    this.#readAt = -Infinity
    this.failed(error, LASTING.test(error.message))
  }

  /** What happened to the server, once a minute while it is in use, and after a failure (K3). */
  #look(now: number): void {
    if (now - this.#readAt < READ_EVERY_MS || !this.notices.hasListeners) return
    this.#readAt = now
    const node = this.#node()
    if (!node) return
    const asked = within(this.#timeoutMs, () => node.send(['INFO', 'ALL']))
    asked.then(
      (info) => {
        const reading = readingOf(String(info), node.database)
        for (const notice of happenedBetween(this.#last ?? reading, reading)) this.notices.tell(notice)
        this.#last = reading
      },
      () => {},
    )
  }
}

/** What a server refuses with begins with a word in capitals. */
export function isRefused({ message }: Error): boolean {
  return /^[A-Z]{2,} /.test(message)
}

/** A healthy server's refusals are answers, these are none. */
const OUTAGE = /^(BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|NOAUTH|READONLY|TRYAGAIN|WRONGPASS) /
/** What asking again does not mend. */
const LASTING = /^(NOAUTH|WRONGPASS) /
