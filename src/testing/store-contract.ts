import type { SessionStore } from '../core/index.ts'
import { interleavingClauses } from './interleaving-clauses.ts'
import { recordClauses } from './record-clauses.ts'
import { timeClauses } from './time-clauses.ts'
import { ContractError, putOnTrial, type Clauses } from './trial.ts'
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
 * The contract of `SessionStore` as test cases, for any test runner. `open` gives the store; it is called once a case,
 * and what it gave is closed after the case. Stores may share one database: every case makes random keys of its own, so
 * cases may also run in parallel, unless `advance` moves a clock that they share.
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
  return Object.entries(clauses).map(([promise, hold]) => ({
    name: promise,
    async run() {
      const store = await open()
      try {
        await hold(putOnTrial(promise, store, options.advance))
      } catch (error) {
        throw error instanceof ContractError
          ? error
          : new ContractError(promise, 'an answer', describe(error), error)
      } finally {
        await store.close?.()
      }
    },
  }))
}

const clauses: Clauses = { ...recordClauses, ...versionClauses, ...timeClauses, ...interleavingClauses }

/** With what lies behind it: a store hides that in a `cause`. */
function describe(error: unknown): string {
  const cause =
    error instanceof Error && error.cause !== undefined ? `, because of ${String(error.cause)}` : ''
  return `a rejection: ${String(error)}${cause}`
}
