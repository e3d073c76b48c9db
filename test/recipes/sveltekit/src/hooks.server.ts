import { env } from '$env/dynamic/private'
import type { Handle } from '@sveltejs/kit'
import { createSessionManager } from 'holdfast'
import { withSession } from 'holdfast/fetch'
import { MemcachedStore } from 'holdfast/memcached'

const manager = createSessionManager<App.SessionData>({
  store: env.SESSION_STORE ? new MemcachedStore(env.SESSION_STORE) : undefined,
  secret: env.SESSION_SECRET,
})

const resolveWithSession = withSession(
  manager,
  (_request, session, { event, resolve }: Parameters<Handle>[0]) => {
    event.locals.session = session
    return resolve(event)
  },
)

export const handle: Handle = (input) => resolveWithSession(input.event.request, input)
