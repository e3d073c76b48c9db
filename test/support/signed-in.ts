import { createSessionManager, MemoryStore, type SessionManager } from '../../src/core/index.ts'
import { secret } from './stores.ts'
import { TamperedStore } from './tampered-store.ts'
import { visitOk } from './visit.ts'

/** A visitor who is signed in, and the store to tamper with. */
export async function signedIn(): Promise<{ manager: SessionManager; store: TamperedStore; cookie: string }> {
  const store = new TamperedStore(new MemoryStore())
  const manager = createSessionManager({ store, secret })
  const { cookie } = await visitOk(manager, undefined, (session) => session.set('user', 'u1'))
  return { manager, store, cookie }
}
