import {
  StoreUnavailableError,
  type MemoryStore,
  type ReplaceOutcome,
  type SessionStore,
  type StoredRecord,
} from '../../src/core/index.ts'

type Operation = 'get' | 'add' | 'replace' | 'set' | 'delete'

/** What was asked of the store, and what became of it. */
export interface Attempt {
  operation: Operation
  key: string
  ttl: number | undefined
  /** Carried out, whether or not the reply came. */
  isDone: boolean
  isAnswered: boolean
}

/**
 * Which operations fail: all of them before they arrive, or some, counted from now and perhaps but the writes, before
 * they arrive or after they were carried out.
 */
export type Fault =
  | 'outage'
  | { skip: number; times: number; stage: 'before' | 'after'; isOfWrites?: boolean | undefined }

/**
 * A real store that can fail, says what was asked of it, and lets an onlooker read without renewing anything. What it
 * hands out is a view on a buffer into which it reads that key again, as a careless store's socket might.
 */
export class RecordedStore implements SessionStore {
  readonly attempts: Attempt[] = []
  /** For an onlooker's manager. */
  readonly quiet: SessionStore
  #fault: Fault | undefined
  #asked = 0
  readonly #memory: MemoryStore
  readonly #now: () => number
  readonly #expiries = new Map<string, number>()
  readonly #buffers = new Map<string, Uint8Array>()

  constructor(memory: MemoryStore, now: () => number) {
    this.#memory = memory
    this.#now = now
    this.quiet = {
      get: (key) => this.#read(key, undefined),
      add: refuse,
      replace: refuse,
      set: refuse,
      delete: refuse,
    }
  }

  get hasFailed(): boolean {
    return this.attempts.some(({ isAnswered }) => !isAnswered)
  }

  get hasWritten(): boolean {
    return this.attempts.some(({ operation }) => operation !== 'get')
  }

  /** Forgets what was asked until now. */
  begin(fault?: Fault): void {
    this.attempts.length = 0
    this.#fault = fault
    this.#asked = 0
  }

  isStored(key: string): boolean {
    return (this.#expiries.get(key) ?? 0) > this.#now()
  }

  async evict(key: string): Promise<void> {
    this.#expiries.delete(key)
    await this.#memory.delete(key)
  }

  get: SessionStore['get'] = (key, ttl) => this.#run('get', key, ttl, Boolean, () => this.#read(key, ttl))
  add: SessionStore['add'] = (key, bytes, ttl) =>
    this.#run('add', key, ttl, Boolean, () => this.#memory.add(key, bytes, ttl))
  replace: SessionStore['replace'] = (key, bytes, ttl, version) =>
    this.#run('replace', key, ttl, isReplaced, () => this.#memory.replace(key, bytes, ttl, version))
  set: SessionStore['set'] = (key, bytes, ttl) =>
    this.#run('set', key, ttl, always, () => this.#memory.set(key, bytes, ttl))
  delete: SessionStore['delete'] = (key) =>
    this.#run('delete', key, undefined, always, () => this.#memory.delete(key))

  async #read(key: string, ttl: number | undefined): Promise<StoredRecord | undefined> {
    const found = await this.#memory.get(key, ttl)
    if (!found) return undefined
    let buffer = this.#buffers.get(key)
    if (!buffer || buffer.length < found.bytes.length) {
      this.#buffers.set(key, (buffer = new Uint8Array(2 * found.bytes.length)))
    }
    buffer.set(found.bytes)
    return { bytes: buffer.subarray(0, found.bytes.length), version: found.version }
  }

  async #run<Result>(
    operation: Operation,
    key: string,
    ttl: number | undefined,
    isDone: (result: Result) => boolean,
    run: () => Promise<Result>,
  ): Promise<Result> {
    const attempt: Attempt = { operation, key, ttl, isDone: false, isAnswered: false }
    this.attempts.push(attempt)
    const failure = this.#nextFailure(operation)
    if (failure === 'before') throw new StoreUnavailableError(operation, new Error('never arrived'))
    const result = await run()
    attempt.isDone = isDone(result)
    if (operation === 'delete') this.#expiries.delete(key)
    else if (ttl !== undefined && attempt.isDone) this.#expiries.set(key, this.#now() + ttl * 1000)
    if (failure === 'after') throw new StoreUnavailableError(operation, new Error('the reply was lost'))
    attempt.isAnswered = true
    return result
  }

  #nextFailure(operation: Operation): 'before' | 'after' | undefined {
    if (!this.#fault || this.#fault === 'outage') return this.#fault && 'before'
    const { skip, times, stage, isOfWrites } = this.#fault
    if (isOfWrites && operation === 'get') return undefined
    const index = this.#asked++
    return index >= skip && index < skip + times ? stage : undefined
  }
}

function isReplaced({ outcome }: ReplaceOutcome): boolean {
  return outcome === 'replaced'
}

function always(): boolean {
  return true
}

async function refuse(): Promise<never> {
  throw new Error('an onlooker writes nothing')
}
