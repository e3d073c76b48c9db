import { withSession } from 'holdfast/fetch'

export default {
  port: Number(process.env.PORT ?? 3000),
  fetch: withSession<{ views: number }>({}, async (_request, session) => {
    return new Response(`view ${await session.update('views', (n = 0) => n + 1)}`)
  }),
}
