import { createSessionManager, type Session } from 'holdfast'
import { withSession } from 'holdfast/fetch'

type Data = { views: number }
/** Of SvelteKit's `RequestEvent` what is needed here; `App.Locals` has the session in your `app.d.ts`. */
type Event = { request: Request; locals: { session?: Session<Data> } }
type Resolve = (event: Event) => Promise<Response>

const manager = createSessionManager<Data>()

const resolveWithSession = withSession(manager, (_request, session, event: Event, resolve: Resolve) => {
  event.locals.session = session
  return resolve(event)
})

export const handle = ({ event, resolve }: { event: Event; resolve: Resolve }): Promise<Response> =>
  resolveWithSession(event.request, event, resolve)
