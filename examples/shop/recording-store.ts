import { AsyncLocalStorage } from 'node:async_hooks'
import type { SessionEvent, SessionStore } from 'holdfast'

/** What the session layer did for one request. */
export interface Logbook {
  operations: Operation[]
  events: SessionEvent[]
}

export interface Operation {
  name: 'get' | 'add' | 'replace' | 'set' | 'delete'
  outcome: string
  bytesRead: number
  bytesWritten: number
}

const logbooks = new AsyncLocalStorage<Logbook>()

/** Runs `work` with a logbook of its own, into which every operation of a recording store is entered. */
export function withLogbook<Result>(work: (logbook: Logbook) => Result): Result {
  const logbook: Logbook = { operations: [], events: [] }
  return logbooks.run(logbook, () => work(logbook))
}

/** For the option `onEvent`. What happens to a server is no request's: the newest that cost sessions is kept for all. */
export function recordEvent(event: SessionEvent): void {
  if (event.server === undefined) logbooks.getStore()?.events.push(event)
  else if (event.type !== 'server-down' && event.type !== 'server-up') lastLoss = event
}

let lastLoss: SessionEvent | undefined

/** What the store has lost lately, if it told. */
export function lossOfStore(): SessionEvent | undefined {
  return lastLoss
}

/** Why the session of this request's cookie has ended, once it was read. */
export function whyEnded(): SessionEvent['reason'] {
  return logbooks.getStore()?.events.find(({ type }) => type === 'ended')?.reason
}

/** A store that does what `store` does and enters it into the logbook of the request it is done for. */
export function recordingStore(store: SessionStore): SessionStore {
  return {
    ...(store.maxBytes !== undefined && { maxBytes: store.maxBytes }),
    get: (key, ttl) =>
      record('get', 0, store.get(key, ttl), (found) => (found ? ['found', found.bytes.length] : ['missing'])),
    add: (key, bytes, ttl) =>
      record('add', bytes.length, store.add(key, bytes, ttl), (version) => [
        version === undefined ? 'taken' : 'added',
      ]),
    replace: (key, bytes, ttl, version) =>
      record('replace', bytes.length, store.replace(key, bytes, ttl, version), ({ outcome }) => [outcome]),
    set: (key, bytes, ttl) => record('set', bytes.length, store.set(key, bytes, ttl), () => ['written']),
    delete: (key) => record('delete', 0, store.delete(key), () => ['deleted']),
    watch: (listener) => store.watch?.(listener),
    close: async () => store.close?.(),
  }
}

async function record<Result>(
  name: Operation['name'],
  bytesWritten: number,
  answer: Promise<Result>,
  describe: (result: Result) => [outcome: string, bytesRead?: number],
): Promise<Result> {
  const operation: Operation = { name, outcome: 'no answer', bytesRead: 0, bytesWritten }
  logbooks.getStore()?.operations.push(operation)
  const result = await answer
  const [outcome, bytesRead = 0] = describe(result)
  Object.assign(operation, { outcome, bytesRead })
  return result
}
