import { brandOf, MEMORY_STORE, type SessionStore } from '../core/index.ts'
import { interleavingClauses } from './interleaving-clauses.ts'
import { recordClauses } from './record-clauses.ts'
import { timeClauses } from './time-clauses.ts'
import { ContractError, putOnTrial, type Clauses } from './trial.ts'
import { twoStoreClauses } from './two-store-clauses.ts'
import { versionClauses } from './version-clauses.ts'

/** Options of {@link sessionStoreContract}. */
export interface StoreContractOptions {
  /**
   * Lets so many seconds pass, for stores with a clock that a test can set; then also long times to live are waited
   * for. Default: real waiting, up to 3.1 seconds in a case.
   */
  advance?: ((seconds: number) => unknown) | undefined
}

/** One clause of the contract. */
export interface StoreContractCase {
  /** What is promised. */
  name: string
  /** Rejects with an `Error` when the store breaks the promise: it names that, what was expected and what came. */
  run: () => Promise<void>
}

/**
 * The contract of `SessionStore` as test cases, for any test runner. `open` gives a store, and in some cases a second on
 * the same data, as another process has it (a `MemoryStore`, alone with its data, is both); what it gave is closed after
 * the case. Stores may share one database: every case makes random keys of its own, so cases may also run in parallel,
 * unless `advance` moves a clock that they share.
 *
 * What needs a failing server is not in it: that a rejection means an outage, and that every operation settles.
 *
 * @example
 * for (const { name, run } of sessionStoreContract(() => new MyStore(address))) it(name, run)
 */
export function sessionStoreContract(
  open: () => SessionStore | Promise<SessionStore>,
  options: StoreContractOptions = {},
): StoreContractCase[] {
  return clauses.flatMap(Object.entries<Clauses[string]>).map(([promise, hold]) => ({
    name: promise,
    async run() {
      const store = await open()
      const opened = [store]
      const openAnother = async () => {
        if (brandOf(store, MEMORY_STORE) !== undefined) return store
        const another = await open()
        if (another === store) throw new ContractError(promise, 'open to give two stores', 'one twice')
        opened.push(another)
        return another
      }
      try {
        await hold(putOnTrial(promise, store, options.advance, openAnother))
      } catch (error) {
        throw error instanceof ContractError
          ? error
          : new ContractError(promise, 'an answer', describe(error), error)
      } finally {
        await Promise.all(opened.map((each) => each.close?.()))
      }
    },
  }))
}

const clauses = [recordClauses, versionClauses, interleavingClauses, twoStoreClauses, timeClauses]

/** With what lies behind it: a store hides that in a `cause`. */
function describe(error: unknown): string {
  const cause =
    error instanceof Error && error.cause !== undefined ? `, because of ${String(error.cause)}` : ''
  return `a rejection: ${String(error)}${cause}`
}
