import type { MarkKeys } from '../crypto/keyring.ts'
import { SessionConflictError, type StoreUnavailableError } from '../errors.ts'
import { within } from '../stores/deadline.ts'
import { markWith, type Mark, type MarkEntry } from './mark.ts'
import { readMark, writeMark } from './mark-io.ts'
import { pause } from './pause.ts'
import { asUnanswered, LEAST_TIME_MS, unavailable, type Found, type RecordIO } from './record-io.ts'

/**
 * What becomes of a user's entries; `undefined` leaves them as they are. `isInDoubt` says that a write with it went
 * unanswered: what it made may have been there, and have been taken out since.
 */
export type MarkChange = (
  entries: readonly MarkEntry[],
  isInDoubt: boolean,
) => readonly MarkEntry[] | undefined

interface WaitingChange {
  readonly io: RecordIO
  readonly change: MarkChange
  readonly reserveMs: number
  isTried: boolean
  /** By a write with it that may have been made all the same. */
  unanswered: StoreUnavailableError | undefined
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

type Queue = Set<WaitingChange>

/**
 * Changes marks by compare-and-swap. What waits for the same mark in this process is made by one swap: one by one, some of 50
 * sign-ins in four processes were kept from it for longer than a commit may take.
 */
export class MarkChanges {
  /** No Map, for the reason that Turns gives. */
  readonly #queues: Record<string, Queue | undefined> = Object.create(null)

  /**
   * Tries again on the newest mark while others write first, until no more than `reserveMs` is left of the time.
   *
   * Rejects with `SessionConflictError`, and nothing was written; or with `StoreUnavailableError`, and it may have been.
   */
  make(io: RecordIO, keys: MarkKeys, change: MarkChange, reserveMs: number = LEAST_TIME_MS): Promise<void> {
    const make = () =>
      new Promise<void>((resolve, reject) => {
        this.#add(keys, { io, change, reserveMs, isTried: false, unanswered: undefined, resolve, reject })
      })
    return within(io.timeLeft(), make, (error) => unavailable('replace', error))
  }

  #add(keys: MarkKeys, waiting: WaitingChange): void {
    const queue = this.#queues[keys.storeKey]
    if (queue) queue.add(waiting)
    else void this.#work(new Set([waiting]), keys)
  }

  async #work(queue: Queue, keys: MarkKeys): Promise<void> {
    this.#queues[keys.storeKey] = queue
    // Used at once: a mark's key is used again, so its version is never carried over anything that is waited for (M14).
    let known: Found<Mark> | undefined
    for (let attempt = 0; queue.size > 0; attempt = known ? 0 : attempt + 1) {
      // Wait, then read, then swap, as with a session's record.
      if (attempt > 1) await pause(attempt)
      for (const each of queue) {
        if (each.io.timeLeft() > (each.isTried ? each.reserveMs : 0)) continue
        const message = "other requests kept writing the same user's list of sessions"
        settle(queue, [each], each.unanswered ?? new SessionConflictError(message))
      }
      known = queue.size > 0 ? await swap(queue, keys, known) : undefined
    }
    delete this.#queues[keys.storeKey]
  }
}

/** One attempt at all that waits; the mark as it is then, where that is known. A failure is told to the first of them alone. */
async function swap(
  queue: Queue,
  keys: MarkKeys,
  known: Found<Mark> | undefined,
): Promise<Found<Mark> | undefined> {
  const [first] = queue
  // Whose time lasts longest: that of one that ends is no failure of the others.
  const { io } = [...queue].reduce((left, right) => (right.io.timeLeft() > left.io.timeLeft() ? right : left))
  const { now, emit } = io.services
  try {
    // Who came after the list was read is not told by it that there is nothing to do.
    const asked = known ? [] : [...queue]
    const found = known ?? (await readMark(io, keys))
    const changes = [...queue]
    const entries = changed(found?.record?.entries ?? [], changes)
    if (!entries) {
      settle(queue, asked)
      return undefined
    }
    const mark = markWith(entries, found?.record, now())
    const reply = await writeMark(io, keys, mark, found).catch(asUnanswered)
    switch (reply.outcome) {
      case 'replaced':
        settle(queue, changes)
        return { record: mark, version: reply.version }
      case 'unanswered':
        if (first!.unanswered) settle(queue, [first!], reply.error)
        for (const each of changes) each.unanswered = reply.error
        return undefined
      default:
        emit('conflict')
        return undefined
    }
  } catch (error) {
    settle(queue, [first!], error)
    return undefined
  }
}

/** One change after the other; `undefined` when none of them changes anything. */
function changed(
  before: readonly MarkEntry[],
  changes: readonly WaitingChange[],
): readonly MarkEntry[] | undefined {
  let entries = before
  for (const each of changes) {
    each.isTried = true
    entries = each.change(entries, each.unanswered !== undefined) ?? entries
  }
  return entries === before ? undefined : entries
}

function settle(queue: Queue, changes: readonly WaitingChange[], error?: unknown): void {
  for (const each of changes) {
    queue.delete(each)
    if (error === undefined) each.resolve()
    else each.reject(error)
  }
}
