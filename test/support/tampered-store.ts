import { StoreUnavailableError, type SessionStore } from '../../src/core/index.ts'

type Operation = 'get' | 'add' | 'replace' | 'set' | 'delete'

/**
 * A real store behind a network that can be meddled with: `before` runs ahead of an operation (and may reject: it
 * never arrived), `after` once it was carried out (and may reject: its reply was lost).
 */
export class TamperedStore implements SessionStore {
  readonly operations: Operation[] = []
  readonly keys: string[] = []
  /** Times to live that were asked for, in seconds. */
  readonly ttls: number[] = []
  before: (operation: Operation, key: string) => unknown = () => {}
  after: (operation: Operation, key: string) => unknown = () => {}
  readonly #store: SessionStore

  constructor(store: SessionStore) {
    this.#store = store
  }

  get maxBytes(): number {
    return this.#store.maxBytes ?? Infinity
  }

  get: SessionStore['get'] = (key, ttl) => this.#run('get', key, () => this.#store.get(key, ttl), ttl)
  add: SessionStore['add'] = (key, bytes, ttl) =>
    this.#run('add', key, () => this.#store.add(key, bytes, ttl), ttl)
  replace: SessionStore['replace'] = (key, bytes, ttl, version) =>
    this.#run('replace', key, () => this.#store.replace(key, bytes, ttl, version), ttl)
  set: SessionStore['set'] = (key, bytes, ttl) =>
    this.#run('set', key, () => this.#store.set(key, bytes, ttl), ttl)
  delete: SessionStore['delete'] = (key) => this.#run('delete', key, () => this.#store.delete(key))

  count(operation: Operation): number {
    return this.operations.filter((each) => each === operation).length
  }

  forget(): void {
    this.operations.length = 0
    this.keys.length = 0
    this.ttls.length = 0
    this.before = () => {}
    this.after = () => {}
  }

  async #run<Result>(
    operation: Operation,
    key: string,
    run: () => Promise<Result>,
    ttl?: number,
  ): Promise<Result> {
    this.operations.push(operation)
    this.keys.push(key)
    if (ttl !== undefined) this.ttls.push(ttl)
    await this.before(operation, key)
    const result = await run()
    await this.after(operation, key)
    return result
  }
}

/** Fails the first `times` calls of one operation: as `before`, they never arrive; as `after`, their replies are lost. */
export function failing(operation: Operation, times = 1): (called: Operation) => void {
  let left = times
  return (called) => {
    if (called === operation && left-- > 0)
      throw new StoreUnavailableError(called, new Error('tampered with'))
  }
}
