const LONGEST_WAIT_MS = 100

/**
 * Lets commits to one record within this process take turns, so that they do not make each other retry. Only a
 * courtesy: correctness comes from compare-and-swap, so nobody waits long for somebody whose store call hangs.
 */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  async take<Result>(key: string, run: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(key)
    const { promise, resolve } = deferred()
    this.#last.set(key, promise)
    if (before) await atMost(LONGEST_WAIT_MS, before)
    try {
      return await run()
    } finally {
      resolve()
      if (this.#last.get(key) === promise) this.#last.delete(key)
    }
  }
}

/** `Promise.withResolvers`, which Node 20 lacks. */
function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

async function atMost(ms: number, promise: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([promise, timeout])
  clearTimeout(timer)
}
