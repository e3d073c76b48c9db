import { defineMiddleware, toResponse, type H3Event } from 'h3'
import { createSessionManager, type Session, type SessionManager } from 'holdfast'
import { withSession } from 'holdfast/fetch'

type Data = { views: number }

declare module 'h3' {
  interface H3EventContext {
    session: Session<Data>
  }
}

export function sessions(manager: SessionManager<Data>) {
  const serve = withSession(manager, (_request, session, event: H3Event, next: () => unknown) => {
    event.context.session = session
    // What h3 makes of what a handler returns or throws; `onResponse` is left for what goes out at last.
    const { onResponse: _, ...config } = event.app?.config ?? {}
    return toResponse(Promise.resolve().then(next), event, config)
  })
  return defineMiddleware((event, next) => serve(event.req, event, next))
}

export default sessions(createSessionManager<Data>())
