// Compiled by `tsc`, never run: a line that compiles where it should not fails through its @ts-expect-error.
import { expectTypeOf } from 'vitest'
import { createSessionManager, type Session } from 'holdfast'
import { withSession } from 'holdfast/fetch'
import type { Data } from './data.ts'

const manager = createSessionManager<Data>()

// The handler gets the session, and whatever else the server passes on.
export const plain = withSession<Data>({}, async (request, session) => {
  expectTypeOf(request).toEqualTypeOf<Request>()
  expectTypeOf(session).toEqualTypeOf<Session<Data>>()
  return new Response(await session.get('userId'))
})
expectTypeOf(plain).toEqualTypeOf<(request: Request) => Promise<Response>>()
const withServer = withSession(manager, (_request, session, server: { port: number }) => {
  expectTypeOf(session).toEqualTypeOf<Session<Data>>()
  return new Response(String(server.port))
})
expectTypeOf(withServer).toEqualTypeOf<(request: Request, server: { port: number }) => Promise<Response>>()
// @ts-expect-error where the data is named, nothing else is inferred
withSession<Data>({}, (_request, _session, server: { port: number }) => new Response(String(server.port)))
// A request of the server's own kind keeps its type where the handler is written in place, as in Bun's routes.
type RouteRequest = Request & { params: { name: string } }
export const route: (request: RouteRequest, server: { port: number }) => Promise<Response> = withSession(
  manager,
  (request) => new Response(request.params.name),
  { renew: (request) => request.params.name !== 'unread' },
)
// @ts-expect-error but not one that the server does not hand over
export const another: (request: Request) => Promise<Response> = withSession(
  manager,
  (request: RouteRequest) => {
    return new Response(request.params.name)
  },
)
// Bun's `server.upgrade` answers by itself.
const upgrading = withSession(manager, (_request, _session, server: { upgrade(): boolean }) =>
  server.upgrade() ? undefined : new Response(null, { status: 400 }),
)
expectTypeOf(upgrading).toEqualTypeOf<
  (request: Request, server: { upgrade(): boolean }) => Promise<Response | undefined>
>()
// @ts-expect-error a handler that answers nothing
withSession<Data>({}, () => {})
// Which requests count as use.
const polled = withSession(manager, () => new Response(), {
  renew: (request) => new URL(request.url).pathname !== '/unread',
})
expectTypeOf(polled).toEqualTypeOf<(request: Request) => Promise<Response>>()
// @ts-expect-error whether it does is known at once
withSession<Data>({}, () => new Response(), { renew: async () => false })
// @ts-expect-error the handler has it
withSession<Data>({}, () => new Response(), { as: 'admin' })
