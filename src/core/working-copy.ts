import { Changes, parse, runUpdate, type Step } from './changes.ts'
import { toJsonText } from './json.ts'
import type { SessionTexts } from './record.ts'

/** A value the handler holds. `text` is what it was when last looked at; none for one that was set and not yet written. */
interface HeldValue {
  value: unknown
  text: string | undefined
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
    return [...new Set([...this.#base.keys(), ...this.#held.keys()])].filter((key) => this.has(key))
  }

  write(key: string, value: unknown): void {
    this.#held.set(key, { value, text: undefined })
  }

  clear(): void {
    this.#held.clear()
    this.current.clear()
  }

  /** Returns what is to run once the session is loaded. */
  update(key: string, fn: (current: never) => unknown): () => unknown {
    const held = this.#held.get(key)
    if (held && isUnsaved(key, held)) {
      const value = runUpdate(fn, held.value)
      this.write(key, value)
      return () => value
    }
    const batch = this.current
    const step: Step = { type: 'update', fn }
    batch.add(key, step)
    this.#held.delete(key)
    return () => {
      try {
        return this.#runUpdate(batch, key, step)
      } catch (error) {
        batch.remove(key, step)
        if (held && !this.#held.has(key)) this.#held.set(key, held)
        throw error
      }
    }
  }

  /** Returns what is to run once the session is loaded. */
  take(key: string): () => unknown {
    const held = this.#held.get(key)
    if (held && held.text === undefined) {
      this.write(key, undefined)
      return () => held.value
    }
    const batch = this.current
    const step: Step = { type: 'take' }
    batch.add(key, step)
    this.#held.delete(key)
    return () => {
      const text = this.#textOf(key, step)
      if (text === undefined) batch.remove(key, step)
      else step.text = text
      return held ? held.value : parse(text)
    }
  }

  /**
   * Records every value that was set, and every nested change to a value that was handed out, as a set of that key.
   *
   * Throws `SessionDataError` for a value that is not JSON; it stays as it is, so that the handler may mend it.
   */
  settle(): void {
    for (const [key, held] of this.#held) {
      const isNew = held.text === undefined
      if (!isNew && typeof held.value !== 'object') continue
      const text = toJsonText(key, held.value)
      if (!isNew && text === held.text) continue
      this.current.add(key, { type: 'set', text })
      if (text === undefined) this.#held.delete(key)
      else held.text = text
    }
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

  /** Forgets changes and values; says whether there were changes. */
  discard(): boolean {
    const hadChanges =
      this.pending !== undefined || [...this.#held].some(([key, held]) => isUnsaved(key, held))
    this.#batches = []
    this.#held.clear()
    return hadChanges
  }

  /** Takes back the updates and takes that wait for a load which failed; says whether there were any. */
  removeUnfinished(): boolean {
    return this.#batches.map((batch) => batch.removeUnfinished()).includes(true)
  }

  #runUpdate(batch: Changes, key: string, step: Step & { type: 'update' }): unknown {
    const input = this.#textOf(key, step)
    const value = runUpdate(step.fn, parse(input))
    const isLatest = this.#batches.includes(batch) && batch.endsWith(key, step) && !this.#held.has(key)
    const output = textIfJson(key, value)
    if (output === undefined && value !== undefined) {
      // What cannot be stored fails the commit, not the update.
      if (isLatest) this.write(key, value)
      batch.remove(key, step)
      return value
    }
    step.ran = { input, output }
    if (isLatest && output !== undefined) this.#held.set(key, { value, text: output })
    return value
  }

  /** The key's text as this request sees it, or just before the step `until`. */
  #textOf(key: string, until?: Step): string | undefined {
    let text = this.#base.get(key)
    for (const batch of this.#batches) {
      const after = batch.textAfter(key, text, until)
      text = after.text
      if (after.reached) break
    }
    return text
  }
}

function isUnsaved(key: string, held: HeldValue): boolean {
  if (held.text === undefined) return true
  return typeof held.value === 'object' && textIfJson(key, held.value) !== held.text
}

function textIfJson(key: string, value: unknown): string | undefined {
  try {
    return toJsonText(key, value)
  } catch {
    return undefined
  }
}
