// With nothing but holdfast installed: no types of memjs, Hono, Koa or Node.
import { createSessionManager, MemoryStore, StoreUnavailableError, type Session } from 'holdfast'
import { withSession } from 'holdfast/fetch'
import { MemcachedStore, type MemcachedStoreOptions } from 'holdfast/memcached'
import { issueSession, readSession, sessionStoreContract } from 'holdfast/testing'

type Data = { userId: string; views: number }

const options: MemcachedStoreOptions = { servers: '127.0.0.1:11200', tls: { servername: 'sessions' } }
const manager = createSessionManager<Data>({
  store: new MemcachedStore(options),
  secret: 'a secret of the consumer, long enough for one',
})

export const serve: (request: Request) => Promise<Response> = withSession(
  manager,
  async (request, session) => {
    const exact: Session<Data> = session
    const views: number = await exact.update('views', (n = 0) => n + 1)
    // @ts-expect-error no such key
    await session.get('user')
    const expiresAt: number | undefined = await session.expiresAt()
    return new Response(`${request.url} ${views} ${expiresAt}`)
  },
  { renew: ({ url }) => !url.endsWith('/unread') },
)
// @ts-expect-error a Date
createSessionManager<{ at: Date }>()
export const cookie: Promise<string> = issueSession(manager, { userId: 'u1' })
export const held: Promise<{ userId?: string } | undefined> = readSession(manager, new Response())
export const names: string[] = sessionStoreContract(() => new MemoryStore()).map(({ name }) => name)
export const answer: Response = new StoreUnavailableError('get', 'no answer').getResponse()
