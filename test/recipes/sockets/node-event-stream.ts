import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SessionManager } from 'holdfast'

const WITHOUT_RENEWAL = { renew: () => false }
const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
}

export async function streamNews(
  manager: SessionManager,
  news: AsyncGenerator<string>,
  { headers: { cookie } }: IncomingMessage,
  response: ServerResponse,
) {
  // A session of its own for every item: it notices a sign-out, and renews nothing.
  const isSignedIn = async () => (await manager.open(cookie, WITHOUT_RENEWAL).userId()) !== undefined
  response.on('close', () => void news.return(undefined))
  if (!(await isSignedIn())) return void response.writeHead(401).end()
  response.writeHead(200, HEADERS).flushHeaders()
  for await (const item of news) {
    if (!(await isSignedIn())) break
    response.write(`data: ${JSON.stringify(item)}\n\n`)
    if (response.writableLength > 1_000_000) return void response.destroy() // he does not read; EventSource comes again
  }
  response.end()
}
