const LONGEST_WAIT_MS = 100

/**
 * Lets commits to one record within this process take turns, each handing the newest record on to the next, so that
 * they do not make each other retry. Only a courtesy: correctness comes from compare-and-swap, so nobody waits long
 * for somebody whose store call hangs.
 */
export class Turns<Baton> {
  readonly #last = new Map<string, Promise<Baton | undefined>>()

  async take(key: string, run: (baton: Baton | undefined) => Promise<Baton | undefined>): Promise<void> {
    const before = this.#last.get(key)
    let finish!: (baton: Baton | undefined) => void
    const turn = new Promise<Baton | undefined>((resolve) => {
      finish = resolve
    })
    this.#last.set(key, turn)
    let baton: Baton | undefined
    try {
      baton = await run(before && (await atMost(LONGEST_WAIT_MS, before)))
    } finally {
      finish(baton)
      if (this.#last.get(key) === turn) this.#last.delete(key)
    }
  }
}

async function atMost<Result>(ms: number, promise: Promise<Result>): Promise<Result | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  const result = await Promise.race([promise, timeout])
  clearTimeout(timer)
  return result
}
