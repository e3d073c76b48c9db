import { createSessionManager, SessionDataError } from 'holdfast'
import { withSession } from 'holdfast/fetch'
import { MemcachedStore } from 'holdfast/memcached'
import { issueSession } from 'holdfast/testing'

const manager = createSessionManager()
const handle = withSession(manager, async (_request, session) =>
  Response.json([await session.get('userId'), await session.update('views', (n = 0) => n + 1)]),
)
const cookie = await issueSession(manager, { userId: 'u1' })
const visit = async () => (await handle(new Request('http://localhost/', { headers: { cookie } }))).json()
const answers = [await visit(), await visit()]

let refusal
try {
  await issueSession(manager, { at: new Date(0) })
} catch (error) {
  refusal = error instanceof SessionDataError && error.code
}
await new MemcachedStore('memcached://127.0.0.1:11200').close()
console.log(JSON.stringify({ answers, refusal }))
