import { StoreUnavailableError } from '../errors.ts'
import { within } from '../stores/deadline.ts'

/**
 * Longer than any commit takes: at 100 ms, one that other processes kept from its swap set its whole queue on them and
 * itself (measured on a busy machine, 4 processes: 50 to 200 of 200 kept, instead of 200).
 */
const LONGEST_STANDSTILL_MS = 700
const LONGEST_LOOK_MS = 50
const LONGEST_WAIT_MS = 2_000

interface Queue {
  last: Promise<unknown> | undefined
  /** How many have had their turn. */
  done: number
  /** The store did not answer the last of them: nobody is to wait for the others to find that out, too. */
  isOutage: boolean
}

/**
 * Lets commits to one record within this process take turns, each handing the newest record on to the next, so that
 * they do not make each other retry. Only a courtesy: correctness comes from compare-and-swap, so nobody stays in a
 * queue that stands still, because a store call hangs, or that moves too slowly.
 */
export class Turns<Baton> {
  readonly #queues = new Map<string, Queue>()

  /** What `run` returns goes to the caller, and what it `kept` to the next in the queue. */
  take<Result>(key: string, run: (baton: Baton | undefined) => Promise<Result>): Promise<Result> {
    const queue: Queue = this.#queues.get(key) ?? { last: undefined, done: 0, isOutage: false }
    const before = queue.last
    const turn = before ? waitFor<Baton>(before, queue).then(run) : run(undefined)
    queue.last = turn
    this.#queues.set(key, queue)
    const end = () => {
      queue.done++
      if (queue.last === turn) this.#queues.delete(key)
    }
    turn.then(
      () => {
        queue.isOutage = false
        end()
      },
      (error) => {
        queue.isOutage ||= error instanceof StoreUnavailableError
        end()
      },
    )
    return turn
  }
}

/** `undefined`, too, once the queue has stood still for too long, or moved too slowly, or met an outage. */
async function waitFor<Baton>(
  before: Promise<unknown>,
  queue: { done: number; isOutage: boolean },
): Promise<Baton | undefined> {
  const handedOn = before.then(
    (kept) => (kept as { kept?: Baton } | undefined)?.kept,
    () => undefined,
  )
  const startedAt = performance.now()
  let { done } = queue
  let movedAt = startedAt
  for (let now = startedAt; !queue.isOutage; now = performance.now()) {
    if (done !== queue.done) {
      done = queue.done
      movedAt = now
    }
    if (now - movedAt >= LONGEST_STANDSTILL_MS || now - startedAt >= LONGEST_WAIT_MS) break
    try {
      return await within(LONGEST_LOOK_MS, () => handedOn)
    } catch {
      // Not yet: a turn that failed hands on nothing, which is no failure here.
    }
  }
  return undefined
}
