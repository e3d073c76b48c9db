import { StoreUnavailableError } from '../errors.ts'

/**
 * Longer than any commit takes: at 100 ms, one that other processes kept from its swap set its whole queue on them and
 * itself (measured on a busy machine, 4 processes: 50 to 200 of 200 kept, instead of 200).
 */
const LONGEST_STANDSTILL_MS = 700
const LONGEST_WAIT_MS = 2_000

interface Turn {
  /** While it waits. */
  begin?: (() => void) | undefined
}

interface Queue<Baton> {
  /** In order; one that did not wait any longer stands among those that do. */
  turns: Turn[]
  /** When the first one ended last. Whoever ended out of turn shows no movement: he had given up on the first one, too. */
  movedAt: number
  baton: Baton | undefined
  /** The store did not answer the last of them: nobody is to wait for the others to find that out, too. */
  isOutage: boolean
}

/**
 * Lets commits to one record within this process take turns, each handing the newest record on to the next, so that
 * they do not make each other retry. Only a courtesy: correctness comes from compare-and-swap, so nobody stays in a
 * queue that stands still, because a store call hangs, or that moves too slowly.
 */
export class Turns<Baton> {
  /**
   * No Map: whenever enough keys have come and gone, V8 makes it anew, and the old one keeps the new one and all that is in
   * it. Once that chain has grown old, nothing in it is freed until the next full collection, and moving it there was a
   * large part of a write.
   */
  readonly #queues: Record<string, Queue<Baton> | undefined> = Object.create(null)

  /** `run` is given what was handed on last, if anything was, and may hand on to the next. */
  async take<Result>(
    key: string,
    run: (handedOn: Baton | undefined, handOn: (baton: Baton) => void) => Promise<Result>,
  ): Promise<Result> {
    const turn: Turn = { begin: undefined }
    let queue = this.#queues[key]
    if (queue) queue.turns.push(turn)
    else {
      queue = { turns: [turn], movedAt: 0, baton: undefined, isOutage: false }
      this.#queues[key] = queue
    }
    if (queue.turns.length > 1 && !queue.isOutage) await untilBegun(turn, queue)
    try {
      const result = await run(queue.baton, (baton) => {
        queue.baton = baton
      })
      queue.isOutage = false
      return result
    } catch (error) {
      queue.isOutage ||= error instanceof StoreUnavailableError
      throw error
    } finally {
      if (queue.turns.length > 1) leave(turn, queue)
      else delete this.#queues[key]
    }
  }
}

/** Until it is the first in the queue, the queue has stood still for too long or moved too slowly, or met an outage. */
function untilBegun(turn: Turn, queue: Pick<Queue<unknown>, 'movedAt'>): Promise<void> {
  const joinedAt = performance.now()
  return new Promise((resolve) => {
    let timer: ReturnType<typeof setTimeout> | undefined
    turn.begin = () => {
      clearTimeout(timer)
      turn.begin = undefined
      resolve()
    }
    const watch = () => {
      const patience = Math.min(
        Math.max(queue.movedAt, joinedAt) + LONGEST_STANDSTILL_MS,
        joinedAt + LONGEST_WAIT_MS,
      )
      const left = patience - performance.now()
      if (left > 0) timer = setTimeout(watch, left)
      else turn.begin?.()
    }
    watch()
  })
}

function leave(turn: Turn, queue: Queue<unknown>): void {
  if (queue.turns[0] === turn) queue.movedAt = performance.now()
  queue.turns = queue.turns.filter((other) => other !== turn)
  for (const other of queue.isOutage ? queue.turns : queue.turns.slice(0, 1)) other.begin?.()
}
