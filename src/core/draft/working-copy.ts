import { Changes, parse, type Step } from './changes.ts'
import { toJsonText } from './json.ts'
import type { SessionTexts } from '../record/record.ts'

/** A value the handler holds. `text` is what it was when last looked at; none for one that was set and not yet written. */
interface HeldValue {
  value: unknown
  text: string | undefined
}

/** An update or take that waits for the session to be loaded. */
export interface Begun {
  /** Runs it and returns its value. */
  finish(): unknown
  /** Takes it back, since the session could not be loaded. */
  cancel(): void
}

const NOTHING: SessionTexts = new Map()

/**
 * A request's view of the session: what was loaded, the batches of changes on top (one, unless a `save()` is under
 * way or failed), and the values that the handler holds, whose nested changes count too.
 */
export class WorkingCopy {
  #base: SessionTexts = NOTHING
  #batches: Changes[] = []
  readonly #held = new Map<string, HeldValue>()

  /** The batch that takes new changes. */
  get current(): Changes {
    const last = this.#batches.at(-1)
    if (last && !last.sent) return last
    const batch = new Changes()
    this.#batches.push(batch)
    return batch
  }

  /** The oldest batch that holds changes; call `settle` first. */
  get pending(): Changes | undefined {
    return this.#batches.find((batch) => !batch.isEmpty)
  }

  /** Whether `read` can answer before the session is loaded. */
  holds(key: string): boolean {
    return this.#held.has(key)
  }

  read(key: string): unknown {
    const held = this.#held.get(key)
    if (held) return held.value
    const text = this.#textOf(key)
    const value = parse(text)
    if (text !== undefined) this.#held.set(key, { value, text })
    return value
  }

  has(key: string): boolean {
    const held = this.#held.get(key)
    return (held ? held.value : this.#textOf(key)) !== undefined
  }

  keys(): string[] {
    const changed = this.#batches.flatMap((batch) => [...batch.keys])
    return [...new Set([...this.#base.keys(), ...changed, ...this.#held.keys()])].filter((key) =>
      this.has(key),
    )
  }

  write(key: string, value: unknown): void {
    this.#held.set(key, { value, text: undefined })
  }

  clear(): void {
    this.#held.clear()
    this.current.clear()
  }

  /** Throws `SessionDataError` when the key holds what cannot be stored. */
  update(key: string, fn: (current: never) => unknown): Begun {
    const held = this.#held.get(key)
    if (held) this.#settleKey(key, held)
    const step: Step = { type: 'update', fn }
    const batch = this.#begin(key, step)
    const isLatest = () => this.#batches.includes(batch) && batch.endsWith(key, step) && !this.#held.has(key)
    return {
      finish: () => {
        try {
          this.#run(batch, key, step)
        } catch (error) {
          if (held && isLatest()) this.#held.set(key, held)
          batch.remove(key, step)
          throw error
        }
        const { value, output } = step.first ?? {}
        if (output !== undefined && isLatest()) this.#held.set(key, { value, text: output })
        return value
      },
      cancel: () => batch.remove(key, step),
    }
  }

  take(key: string): Begun {
    const held = this.#held.get(key)
    // A value that was handed out and changed inside is still the one that the record holds.
    if (held && held.text === undefined) this.#settleKey(key, held)
    const step: Step = { type: 'take' }
    const batch = this.#begin(key, step)
    return {
      finish: () => {
        this.#run(batch, key, step)
        const text = step.first?.text
        if (text === undefined) batch.remove(key, step)
        // What the handler holds may be older than the record by now: the value is the one that is claimed.
        return held && held.text === text ? held.value : parse(text)
      },
      cancel: () => batch.remove(key, step),
    }
  }

  /**
   * Records every value that was set, and every nested change to a value that was handed out, as a set of that key.
   *
   * Throws `SessionDataError` for a value that is not JSON; it stays as it is, so that the handler may mend it.
   */
  settle(): void {
    for (const [key, held] of this.#held) this.#settleKey(key, held)
  }

  /** Continues from what was loaded, or from nothing. */
  rebase(texts: SessionTexts = NOTHING): void {
    this.#base = texts
  }

  /** The batch is written, and the record now holds `texts`. */
  applied(batch: Changes, texts: SessionTexts): void {
    if (!this.#batches.includes(batch)) return
    this.#base = texts
    this.#batches = this.#batches.filter((other) => other !== batch)
    for (const key of batch.keys) {
      const held = this.#held.get(key)
      if (held && held.text !== undefined && held.text !== this.#textOf(key)) this.#held.delete(key)
    }
  }

  /** The session is gone, and the batch with it; what was begun later is judged for itself. */
  lost(batch: Changes): void {
    this.#base = NOTHING
    this.#batches = this.#batches.filter((other) => other !== batch)
    for (const [key, held] of this.#held) if (held.text !== undefined) this.#held.delete(key)
  }

  /** Forgets changes and values; says whether there were changes. */
  discard(): boolean {
    const hadChanges =
      this.pending !== undefined || [...this.#held].some(([key, held]) => isUnsaved(key, held))
    this.#batches = []
    this.#held.clear()
    return hadChanges
  }

  #settleKey(key: string, held: HeldValue): void {
    const isNew = held.text === undefined
    if (!isNew && typeof held.value !== 'object') return
    const text = toJsonText(key, held.value)
    if (!isNew && text === held.text) return
    this.current.add(key, { type: 'set', text })
    if (text === undefined) this.#held.delete(key)
    else held.text = text
  }

  #begin(key: string, step: Step): Changes {
    const batch = this.current
    batch.add(key, step)
    this.#held.delete(key)
    return batch
  }

  /** Unless a save under way ran it already, or nothing is left of the session. */
  #run(batch: Changes, key: string, step: Step & { first?: unknown }): void {
    if (step.first || !this.#batches.includes(batch)) return
    let text = this.#base.get(key)
    for (const each of this.#batches) {
      text = each.textAfter(key, text, each === batch ? step : undefined)
      if (each === batch) return
    }
  }

  #textOf(key: string): string | undefined {
    return this.#batches.reduce((text, batch) => batch.textAfter(key, text), this.#base.get(key))
  }
}

function isUnsaved(key: string, held: HeldValue): boolean {
  if (held.text === undefined) return true
  if (typeof held.value !== 'object') return false
  try {
    return toJsonText(key, held.value) !== held.text
  } catch {
    return true
  }
}
