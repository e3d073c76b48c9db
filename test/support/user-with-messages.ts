import { createSessionManager, MemoryStore, type SessionManager } from '../../src/core/index.ts'
import type { SessionRequest } from '../../src/adapters/node.ts'
import { issueSession } from '../../src/testing/index.ts'
import { secret } from './stores.ts'
import { TamperedStore } from './tampered-store.ts'

/** What the sessions of these tests hold. */
export type Data = { userId: string; messages: number }

/** A manager, its events, and the cookie of a visitor who is signed in. */
export async function begin(): Promise<{
  manager: SessionManager<Data>
  store: TamperedStore
  events: string[]
  cookie: string
  read: () => Promise<Partial<Data>>
}> {
  const events: string[] = []
  const store = new TamperedStore(new MemoryStore())
  const manager = createSessionManager<Data>({ store, secret, onEvent: ({ type }) => events.push(type) })
  const cookie = await issueSession(manager, { userId: 'u1' }, { user: 'u1' })
  events.length = 0
  store.forget()
  return { manager, store, events, cookie, read: () => manager.open(cookie).entries() }
}

/** The session of a request of Node's, by whatever framework it came. */
export function sessionOf(request: object): SessionRequest<Data>['session'] {
  return (request as SessionRequest<Data>).session
}
