import type { SessionManager } from 'holdfast'
import { withSession } from 'holdfast/fetch'

type Data = { seen: number }

/** There is no response to carry a cookie: what would need one is refused. */
const WITHOUT_RESPONSE = { canSetHeaders: () => false }

export function streamNews(manager: SessionManager<Data>, news: () => AsyncIterator<string>) {
  return withSession(manager, async (request, session) => {
    if ((await session.userId()) === undefined) return new Response(null, { status: 401 })
    const cookie = request.headers.get('cookie')
    const items = news()
    const body = new ReadableStream<string>({
      async pull(controller) {
        try {
          const { done, value } = await items.next()
          if (!done && (await countSeen(manager, cookie))) {
            return controller.enqueue(`data: ${JSON.stringify(value)}\n\n`)
          }
          controller.close()
        } catch (error) {
          controller.error(error)
        }
        await items.return?.()
      },
      async cancel() {
        await items.return?.()
      },
    })
    const headers = { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' }
    return new Response(body.pipeThrough(new TextEncoderStream()), { headers })
  })
}

/** The request's session is committed by now: a second one, opened from the same cookie. */
async function countSeen(manager: SessionManager<Data>, cookie: string | null): Promise<boolean> {
  const session = manager.open(cookie, WITHOUT_RESPONSE)
  if ((await session.userId()) === undefined) return false // signed out meanwhile
  await session.update('seen', (n = 0) => n + 1)
  await session.save()
  return true
}
