import { within } from '../deadline.ts'
import { Gate, GateError, storeClosed } from '../gate.ts'
import type { NoticeListener } from '../notices.ts'
import type { RedisNode } from './redis-client.ts'
import { happenedBetween, readingOf, type Reading } from './redis-reading.ts'

const READ_EVERY_MS = 60_000

/** What one server, or one address that several stand behind, is asked, and what it is known to have gone through. */
export class RedisServer {
  readonly #gate: Gate
  readonly #timeoutMs: number
  readonly #node: () => RedisNode | undefined
  /** How each operation in flight is ended before its time. */
  readonly #waiting = new Set<(error: Error) => void>()
  #failedAt = -Infinity
  #readAt = -Infinity
  #last: Reading | undefined

  constructor(
    name: string,
    { operationTimeoutMs, maxInFlight }: { operationTimeoutMs: number; maxInFlight: number },
    node: () => RedisNode | undefined,
    probe: () => Promise<unknown>,
  ) {
    this.#timeoutMs = operationTimeoutMs
    this.#node = node
    this.#gate = new Gate(name, maxInFlight, () => void this.#ask(performance.now(), probe).catch(() => {}))
  }

  /** @param startedAt - when it was asked first, from which its deadline counts */
  async ask(startedAt: number, follows: boolean, send: () => Promise<unknown>): Promise<unknown> {
    const refusal = this.#gate.refusal(this.#waiting.size, follows)
    if (refusal) throw refusal
    const reply = await this.#ask(startedAt, send)
    if (this.#gate.notices.hasListeners) this.#look(performance.now())
    return reply
  }

  watch(listener: NoticeListener): void {
    this.#gate.watch(listener)
  }

  close(): void {
    this.#gate.close()
    for (const fail of this.#waiting) fail(storeClosed())
  }

  async #ask(startedAt: number, send: () => Promise<unknown>): Promise<unknown> {
    let fail: (error: Error) => void = () => {}
    const ended = new Promise<never>((_, reject) => (fail = reject))
    this.#waiting.add(fail)
    try {
      const left = this.#timeoutMs - (performance.now() - startedAt)
      const reply = await within(left, () => Promise.race([send(), ended]))
      this.#gate.answered()
      return reply
    } catch (reason) {
      const error = reason as Error
      if (isRefusal(error)) this.#gate.answered()
      // What was under way at the last failure is a part of it: a lost connection counts once (F4).
      else if (startedAt >= this.#failedAt) {
        this.#failedAt = performance.now()
        this.#readAt = -Infinity
        this.#gate.failed(error, LASTING.test(error.message))
      }
      throw error
    } finally {
      this.#waiting.delete(fail)
    }
  }

  /** What happened to the server, once a minute while it is in use, and after a failure (K3). */
  #look(now: number): void {
    const node = this.#node()
    if (now - this.#readAt < READ_EVERY_MS || !node) return
    this.#readAt = now
    within(this.#timeoutMs, () => node.send(['INFO', 'ALL'])).then(
      (info) => {
        const before = this.#last
        this.#last = readingOf(String(info), node.database)
        for (const notice of before ? happenedBetween(before, this.#last) : [])
          this.#gate.notices.tell(notice)
      },
      () => {},
    )
  }
}

/** The way to the server broke off, or there was none. */
export function isLost(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException
  return !(error instanceof GateError) && code !== 'ERR_ANSWER_TIMEOUT' && !REFUSED.test(message)
}

/** An answer, of a server that is well: also to a probe, after which there would be no other. */
function isRefusal({ message }: Error): boolean {
  return REFUSED.test(message) && !OUTAGE.test(message)
}

/** What a server refuses with begins with a word in capitals. */
const REFUSED = /^[A-Z]{2,} /
const LASTING = /^(NOAUTH|WRONGPASS) /
const OUTAGE = /^(BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|NOAUTH|READONLY|TRYAGAIN|WRONGPASS) /
