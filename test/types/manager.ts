// Compiled by `tsc`, never run: a line that compiles where it should not fails through its @ts-expect-error.
import { expectTypeOf } from 'vitest'
import { createSessionManager, MemoryStore } from 'holdfast'
import type { Session, SessionEvent, SessionManager, SessionStore, UserSession } from 'holdfast'
import type { Data } from './data.ts'

// @ts-expect-error no such option
createSessionManager({ ttl: 60 })
// @ts-expect-error no such attribute
createSessionManager({ cookie: { maxAge: 60 } })
// @ts-expect-error lower case
createSessionManager({ cookie: { sameSite: 'Lax' } })
// @ts-expect-error not a store: it cannot compare and swap
createSessionManager({ store: new Map() })
// @ts-expect-error a store is not the options
createSessionManager(new MemoryStore())
createSessionManager({ secret: process.env.SESSION_SECRET, store: undefined, idleTimeout: false })
createSessionManager({
  secret: [new Uint8Array(32), 'old'] as const,
  onEvent: ({ type }: SessionEvent) => type,
})
expectTypeOf(new MemoryStore()).toExtend<SessionStore>()

const manager = createSessionManager<Data>()
expectTypeOf(manager).toEqualTypeOf<SessionManager<Data>>()
expectTypeOf(manager.open('')).toEqualTypeOf<Session<Data>>()
expectTypeOf(createSessionManager(manager)).toEqualTypeOf<SessionManager<Data>>()
manager.open(() => new Headers().get('cookie'))
manager.open('', { renew: () => false, canSetHeaders: undefined })
expectTypeOf(manager.listSessions('u1')).toEqualTypeOf<Promise<UserSession[]>>()
expectTypeOf(manager.listSessions('u1', { current: manager.open('') })).toEqualTypeOf<
  Promise<UserSession[]>
>()
expectTypeOf(manager.revoke('u1', 'id')).toEqualTypeOf<Promise<void>>()
expectTypeOf(manager.revokeAll('u1')).toEqualTypeOf<Promise<void>>()
void manager.revokeAll('u1', { except: manager.open('') })
// @ts-expect-error which one is to end
void manager.revoke('u1')
// @ts-expect-error a session, not its id
void manager.revokeAll('u1', { except: 'id' })
// @ts-expect-error no such option
void manager.listSessions('u1', { except: manager.open('') })
createSessionManager({ maxSessionsPerUser: 1 })
// @ts-expect-error a number: there is no switching the cap off
createSessionManager({ maxSessionsPerUser: false })
export const joined = (other: unknown) =>
  manager.joins(other) ? expectTypeOf(other).toEqualTypeOf<Session<Data>>() : undefined
export const commit = (headers: Headers) =>
  manager.commit(manager.open(null), () => ({ status: 200, headers }))
