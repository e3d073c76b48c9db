import type fc from 'fast-check'
import { StoreUnavailableError, type SessionStore } from '../../src/core/index.ts'

/**
 * How an operation fails: it never arrives, it is carried out and the reply is lost, or it counts as lost and arrives
 * later all the same.
 */
export type Failure = 'unsent' | 'unanswered' | 'late'

/** A store whose operations arrive, and whose replies come back, in the order that the scheduler says. */
export function scheduledStore(
  store: SessionStore,
  scheduler: fc.Scheduler,
  failures: ReadonlyMap<number, Failure>,
  who: () => string,
  onReply: () => void,
): SessionStore {
  let asked = 0
  const moment = (label: string) => scheduler.schedule(Promise.resolve(), label)
  const through =
    <Args extends [key: string, ...unknown[]], Result>(
      operation: string,
      run: (...args: Args) => Promise<Result>,
    ) =>
    async (...args: Args): Promise<Result> => {
      const label = `${who()}: ${operation} ${++asked}`
      const failure = failures.get(asked)
      const failed = () => new StoreUnavailableError(operation, new Error(`${failure}`))
      await moment(`${label} arrives`)
      if (failure === 'late') void moment(`${label} arrives late`).then(() => run(...args))
      if (failure === 'late' || failure === 'unsent') throw failed()
      const result = await run(...args)
      await moment(`${label} is answered`)
      onReply()
      if (failure) throw failed()
      return result
    }
  return {
    get: through('get', (key, ttl: number | undefined) => store.get(key, ttl)),
    add: through('add', (key, bytes: Uint8Array, ttl: number) => store.add(key, bytes, ttl)),
    replace: through('replace', (key, bytes: Uint8Array, ttl: number, version: unknown) =>
      store.replace(key, bytes, ttl, version),
    ),
    set: through('set', (key, bytes: Uint8Array, ttl: number) => store.set(key, bytes, ttl)),
    delete: through('delete', (key) => store.delete(key)),
  }
}
