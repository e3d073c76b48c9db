const FAILURES_UNTIL_OPEN = 5
const PROBE_PAUSE_MS = 1_000
const LONGEST_PROBE_PAUSE_MS = 30_000
const FIRST_MINUTE_MS = 60_000

/**
 * Circuit breaker of one server. Closed: everything is sent. After five failures in a row it opens: nothing is sent but
 * probes. The first answer closes it. It keeps the count; connecting, probing and waiting are its owner's.
 */
export class Breaker {
  #failures = 0
  #openSince: number | undefined
  #pauseMs = PROBE_PAUSE_MS

  get isOpen(): boolean {
    return this.#openSince !== undefined
  }

  succeeded(): void {
    this.#failures = 0
    this.#openSince = undefined
  }

  /**
   * Milliseconds until the next probe, or `undefined` while closed; `now` in milliseconds. A failure that no repetition
   * mends opens at once. Probes come every second in the first minute and are then doubled apart up to 30 s, each up to
   * half of that early, so that many application servers do not probe in step.
   */
  failed(now: number, isLasting: boolean): number | undefined {
    this.#failures++
    if (this.#openSince === undefined) {
      if (this.#failures < FAILURES_UNTIL_OPEN && !isLasting) return undefined
      this.#openSince = now
      this.#pauseMs = PROBE_PAUSE_MS
    } else if (now - this.#openSince >= FIRST_MINUTE_MS) {
      this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PROBE_PAUSE_MS)
    }
    return this.#pauseMs * (1 - Math.random() / 2)
  }
}
