import { readFileSync } from 'node:fs'
import { createSessionManager, type SessionManager } from 'holdfast'
import { MemcachedStore } from 'holdfast/memcached'

export type Data = { notes: string[] }

declare global {
  var sessions: SessionManager<Data> | undefined
}

// Kept on `globalThis`: a hot reload runs this file anew, and finds the manager that is there.
export const manager = (globalThis.sessions ??= createManager())

function createManager() {
  const { SESSION_STORE, SESSION_SECRET_FILE = '/etc/shop/session-secret' } = process.env
  if (!SESSION_STORE) return createSessionManager<Data>() // in this process: for development
  const secret = readFileSync(SESSION_SECRET_FILE, 'utf8').trim()
  return createSessionManager<Data>({ store: new MemcachedStore(SESSION_STORE), secret })
}
