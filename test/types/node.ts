// Compiled by `tsc`, never run: a line that compiles where it should not fails through its @ts-expect-error.
import type { IncomingMessage } from 'node:http'
import { expectTypeOf } from 'vitest'
import { createSessionManager, type Session } from 'holdfast'
import { session, type NodeMiddleware, type SessionRequest } from 'holdfast/node'
import type { Data } from './data.ts'

// Express types its requests globally, so an application declares the session there, once.
expectTypeOf(session<Data>()).toEqualTypeOf<NodeMiddleware>()
expectTypeOf(session(createSessionManager<Data>(), { onError() {} })).toEqualTypeOf<NodeMiddleware>()
export const ofRequest = async (request: IncomingMessage & SessionRequest<Data>) => {
  expectTypeOf(request.session).toEqualTypeOf<Session<Data>>()
  // @ts-expect-error no such key
  await request.session.get('user')
  return request.session.get('userId')
}
// @ts-expect-error a Date
session<{ at: Date }>()
expectTypeOf(session<Data>({}, { as: 'admin' })).toEqualTypeOf<NodeMiddleware>()
export const ofBoth = (request: SessionRequest<Data> & SessionRequest<{ role: string }, 'admin'>) => {
  expectTypeOf(request.session).toEqualTypeOf<Session<Data>>()
  expectTypeOf(request.admin).toEqualTypeOf<Session<{ role: string }>>()
  // @ts-expect-error assigned over
  request.session = null
}
// Which requests count as use; Express's know more than Node's.
session({}, { renew: (request) => request.headers['x-poll'] === undefined })
session({}, { renew: (request: IncomingMessage & { path: string }) => request.path !== '/unread' })
session({}, { as: 'admin', renew: undefined, onError() {} })
// @ts-expect-error whether it does is known at once
session({}, { renew: async () => false })
// @ts-expect-error no function: { onError }
session({}, () => {})
