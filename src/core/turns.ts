import { within } from './within.ts'

const LONGEST_STANDSTILL_MS = 100
const LONGEST_WAIT_MS = 2_000

interface Queue<Baton> {
  last: Promise<Baton | undefined> | undefined
  /** How many have had their turn. */
  done: number
}

/**
 * Lets commits to one record within this process take turns, each handing the newest record on to the next, so that
 * they do not make each other retry. Only a courtesy: correctness comes from compare-and-swap, so nobody stays in a
 * queue that stands still, because a store call hangs, or that moves too slowly.
 */
export class Turns<Baton> {
  readonly #queues = new Map<string, Queue<Baton>>()

  /** What `run` returns goes to the caller, and what it `kept` to the next in the queue. */
  async take<Result>(key: string, run: (baton: Baton | undefined) => Promise<Result>): Promise<Result> {
    const queue: Queue<Baton> = this.#queues.get(key) ?? { last: undefined, done: 0 }
    this.#queues.set(key, queue)
    const before = queue.last
    let finish!: (baton: Baton | undefined) => void
    const turn = new Promise<Baton | undefined>((resolve) => {
      finish = resolve
    })
    queue.last = turn
    let kept: Baton | undefined
    try {
      const result = await run(before && (await waitFor(before, queue)))
      kept = (result as { kept?: Baton } | undefined)?.kept
      return result
    } finally {
      queue.done++
      finish(kept)
      if (queue.last === turn) this.#queues.delete(key)
    }
  }
}

/** `undefined`, too, once the queue has stood still for too long, or moved too slowly. */
async function waitFor<Baton>(before: Promise<Baton>, queue: { done: number }): Promise<Baton | undefined> {
  const latest = performance.now() + LONGEST_WAIT_MS
  for (let done = -1; done !== queue.done && performance.now() < latest;) {
    done = queue.done
    const pauseMs = Math.min(LONGEST_STANDSTILL_MS, latest - performance.now())
    try {
      return await within(pauseMs, before)
    } catch {
      // Not yet: a turn never rejects.
    }
  }
  return undefined
}
