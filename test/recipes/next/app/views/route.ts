import { withSession } from 'holdfast/fetch'
import { manager } from '../../session'

export const GET = withSession(manager, async (_request, session) => {
  return new Response(`view ${await session.update('views', (n = 0) => n + 1)}`)
})
