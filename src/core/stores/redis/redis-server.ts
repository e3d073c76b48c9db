import type { Bounds } from '../arguments.ts'
import { within } from '../deadline.ts'
import { Gate, GateError, storeClosed } from '../gate.ts'
import { happenedBetween, infoOf, type Info } from './redis-info.ts'
import type { RedisNode } from './redis-client.ts'

const READ_EVERY_MS = 60_000

type Ask = () => Promise<unknown>

/** What one server is asked, and what it is known to have gone through. */
export class RedisServer {
  readonly gate: Gate
  readonly #timeoutMs: number
  readonly #node: () => RedisNode | undefined
  /** How each operation in flight is ended before its time, by its number. No Map, for the reason that Turns gives. */
  readonly #waiting: Record<number, (error: Error) => void> = Object.create(null)
  #asked = 0
  #over = 0
  #failedAt = -Infinity
  #readAt = -Infinity
  #isReading = false
  #last: Info | undefined

  /** `probe` asks what nobody waits for. */
  constructor(name: string, bounds: Bounds, node: () => RedisNode | undefined, probe: Ask) {
    this.gate = new Gate(name, bounds.maxInFlight, () => void this.#ask(probe).catch(() => {}))
    this.#timeoutMs = bounds.operationTimeoutMs
    this.#node = node
  }

  async ask(follows: boolean, send: Ask): Promise<unknown> {
    const refusal = this.gate.refusal(this.#asked - this.#over, follows)
    if (refusal) throw refusal
    const reply = await this.#ask(send)
    void this.#look(performance.now())
    return reply
  }

  close(): void {
    this.gate.close()
    for (const fail of Object.values(this.#waiting)) fail(storeClosed())
  }

  async #ask(send: Ask): Promise<unknown> {
    const startedAt = performance.now()
    const number = this.#asked++
    const ended = new Promise<never>((_, reject) => void (this.#waiting[number] = reject))
    try {
      const reply = await within(this.#timeoutMs, () => Promise.race([send(), ended]))
      this.gate.answered()
      return reply
    } catch (reason) {
      const error = withoutCommand(reason as Error)
      this.#count(error, startedAt)
      throw error
    } finally {
      this.#over++
      delete this.#waiting[number]
    }
  }

  /** What was under way at the last failure is a part of it: a lost connection counts once (F4). */
  #count(error: Error, startedAt: number): void {
    const word = refusalOf(error)
    if (word && !OUTAGES.has(word)) return this.gate.answered()
    if (startedAt < this.#failedAt) return
    this.#failedAt = performance.now()
    this.#readAt = -Infinity
    this.gate.failed(error, LASTING.has(word))
  }

  /** What happened to the server, once a minute while it is in use, and after a failure (K3). */
  async #look(now: number): Promise<void> {
    const { notices } = this.gate
    if (this.#isReading || now - this.#readAt < READ_EVERY_MS || !notices.hasListeners) return
    this.#readAt = now
    this.#isReading = true
    try {
      const node = this.#node()
      if (!node) return
      const text = await within(this.#timeoutMs, () => node.send(['INFO', 'ALL']))
      const info = infoOf(String(text), node.database)
      for (const notice of happenedBetween(this.#last ?? info, info)) notices.tell(notice)
      this.#last = info
    } catch {
      // Asked again in a minute: what fails here fails for visitors, too, and is told by them.
    } finally {
      this.#isReading = false
    }
  }
}

/** ioredis keeps the command with its error, and Redis repeats one that it does not know: both hold a session's key. */
function withoutCommand(error: NodeJS.ErrnoException): Error {
  if (error instanceof GateError) return error
  const { code, message } = error
  return Object.assign(new Error(message.replace(/, with args .*/s, '')), code !== undefined && { code })
}

/** The word in capitals that a server refuses with; Redis 6.2 puts others before that of a script. */
export function refusalOf({ message }: Error): string | undefined {
  return /^(?:ERR .*-)?([A-Z]{2,}) /.exec(message)?.[1]
}

/** What asking again does not mend. */
const LASTING: ReadonlySet<string | undefined> = new Set(['DENIED', 'NOAUTH', 'WRONGPASS'])

/** A healthy server's refusals are answers; with these it refuses whatever it is asked, reads too, which move an end. */
const OUTAGES: ReadonlySet<string | undefined> = new Set([
  ...LASTING, 'BUSY', 'CLUSTERDOWN', 'LOADING', 'MASTERDOWN', 'MISCONF', 'NOREPLICAS', 'READONLY', 'TRYAGAIN',
]) // prettier-ignore
