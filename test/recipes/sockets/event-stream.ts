import type { SessionManager } from 'holdfast'
import { withSession } from 'holdfast/fetch'

type Data = { seen: number }

export function streamNews(manager: SessionManager<Data>, news: () => AsyncIterator<string>) {
  return withSession(manager, async (request, session) => {
    if ((await session.userId()) === undefined) return new Response(null, { status: 401 })
    const cookie = request.headers.get('cookie')
    const items = news()
    const body = new ReadableStream<string>({
      async pull(controller) {
        const { done, value } = await items.next()
        if (done || !(await countSeen(manager, cookie))) return controller.close()
        controller.enqueue(`data: ${value}\n\n`)
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
  const session = manager.open(cookie)
  if (!(await session.exists())) return false // signed out meanwhile
  await session.update('seen', (n = 0) => n + 1)
  await session.save()
  return true
}
