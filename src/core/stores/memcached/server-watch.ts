import type { Notice, Notices } from '../notices.ts'
import { encodeRequest, Opcode, type Exchange } from './protocol.ts'
import { happenedBetween, readingOf, type Reading } from './server-reading.ts'

const READ_EVERY_MS = 60_000
const MOST_UNANSWERED = 2

/** What carries its questions. */
interface Link {
  send(exchange: Exchange): void
}

/**
 * Finds out what happened to one server, and tells: by one STAT on each new connection, and one a minute while it is in
 * use (K3). It needs no timer, since it asks after visitors have asked.
 */
export class ServerWatch {
  readonly #notices: Notices
  #asked: Exchange | undefined
  #unanswered = 0
  #nextAt = -Infinity
  #last: Reading | undefined

  constructor(notices: Notices) {
    this.#notices = notices
  }

  /** Exchanges in flight that are no visitor's: 0 or 1. */
  get load(): number {
    return this.#asked ? 1 : 0
  }

  /**
   * A server that falls silent at a STAT, or hangs up, takes along what visitors asked after it: the second time in a row
   * is the last. `oldest` was to be answered next, if anything was.
   */
  connectionEnded(oldest: Exchange | undefined): void {
    this.#nextAt = -Infinity
    if (oldest && oldest === this.#asked) this.#unanswered++
  }

  /** Asks, if it is time; `now` in milliseconds, monotonic. */
  ask(now: number, link: Link): void {
    if (now < this.#nextAt || this.#asked || this.#unanswered >= MOST_UNANSWERED) return
    if (!this.#notices.hasListeners) return
    this.#nextAt = now + READ_EVERY_MS
    this.#stat('', link, (stats) => {
      const reading = readingOf(stats, performance.now(), Date.now())
      if (!reading) return
      const before = this.#last ?? reading
      this.#last = reading
      for (const notice of happenedBetween(before, reading)) {
        if (notice.type === 'server-flushed') this.#tellUnlessRefused(notice, link)
        else this.#notices.tell(notice)
      }
    })
  }

  /** memcached counts the flushes that it refuses, too. */
  #tellUnlessRefused(flushed: Notice, link: Link): void {
    this.#stat('settings', link, (settings) => {
      if (settings.get('flush_enabled') !== 'no') this.#notices.tell(flushed)
    })
  }

  /** `use` gets nothing of an answer that is not whole. */
  #stat(group: string, link: Link, use: (stats: ReadonlyMap<string, string>) => void): void {
    const stats = new Map<string, string>()
    const finish = (all: ReadonlyMap<string, string>) => {
      this.#asked = undefined
      use(all)
    }
    this.#asked = {
      request: encodeRequest({ opcode: Opcode.stat, key: group }, 0),
      answer: (reply) => {
        if (!reply.isLast) return void stats.set(String(reply.key), String(reply.value))
        this.#unanswered = 0
        finish(stats)
      },
      fail: () => finish(new Map()),
    }
    link.send(this.#asked)
  }
}
