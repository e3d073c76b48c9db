// Compiled by `tsc`, never run: a line that compiles where it should not fails through its @ts-expect-error.
import { expectTypeOf } from 'vitest'
import { createSessionManager, MemoryStore } from 'holdfast'
import type { Session, SessionEvent, SessionManager, SessionStore } from 'holdfast'
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
export const joined = (other: unknown) =>
  manager.joins(other) ? expectTypeOf(other).toEqualTypeOf<Session<Data>>() : undefined
export const commit = (headers: Headers) =>
  manager.commit(manager.open(null), () => ({ status: 200, headers }))
