import { beforeEach } from 'vitest'
import { createSessionManager, type SessionEvent, type SessionManager } from '../../src/core/index.ts'
import type { SessionOptions } from '../../src/core/index.ts'
import { secret, type OpenStore } from './stores.ts'
import { TamperedStore } from './tampered-store.ts'
import { visitOk } from './visit.ts'

/** A manager on a store that can be tampered with, its events, and a clock of its own. */
export interface Bench {
  manager: SessionManager
  store: TamperedStore
  /** The types of the events since the last `forget`. */
  events(): string[]
  lastEvents: SessionEvent[]
  /** Another manager on the same store and clock: another application server. */
  another(options?: SessionOptions): SessionManager
  /** Milliseconds since the epoch; set it to let time pass. */
  clock: { ms: number }
  forget(): void
  /** Signs a visitor in with this data, forgets how, and gives the Cookie header. */
  begin(data: Record<string, unknown>): Promise<string>
  /** What the session holds, as another request sees it. */
  read(cookie: string): Promise<Record<string, unknown>>
}

/** A fresh bench for every test of the `describe` it is called in. */
export function useBench(open: OpenStore, options: SessionOptions = {}): Bench {
  const bench = {} as Bench
  beforeEach(() => Object.assign(bench, createBench(open, options)))
  return bench
}

export function createBench(open: OpenStore, options: SessionOptions = {}): Bench {
  const store = new TamperedStore(open.current)
  const clock = { ms: Date.now() }
  const lastEvents: SessionEvent[] = []
  const another = (more: SessionOptions = {}) =>
    createSessionManager({
      store,
      secret,
      now: () => clock.ms,
      onEvent: (event) => lastEvents.push(event),
      ...options,
      ...more,
    })
  const bench: Bench = {
    manager: another(),
    another,
    store,
    clock,
    lastEvents,
    events: () => lastEvents.map((event) => event.type),
    forget() {
      lastEvents.length = 0
      store.forget()
    },
    async begin(data) {
      const { cookie } = await visitOk(bench.manager, undefined, (session) => {
        for (const [key, value] of Object.entries(data)) session.set(key, value)
      })
      bench.forget()
      return cookie
    },
    async read(cookie) {
      return (await visitOk(bench.manager, cookie, (session) => session.entries())).result
    },
  }
  return bench
}
