import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { SessionError } from 'holdfast'
import { session, type SessionRequest } from 'holdfast/node'

type Data = { views: number }

const sessions = session<Data>()

export const server = createServer((request, response) => {
  sessions(request, response, (error) => {
    const handled = error
      ? Promise.reject(error)
      : handle(request as typeof request & SessionRequest<Data>, response)
    handled.catch((error: unknown) => fail(response, error))
  })
})

async function handle(request: IncomingMessage & SessionRequest<Data>, response: ServerResponse) {
  const { method, url, session } = request
  switch (`${method} ${url}`) {
    case 'GET /': {
      const views = await session.update('views', (n = 0) => n + 1)
      response.setHeader('Content-Type', 'text/plain').end(`view ${views}`)
      return
    }
    case 'POST /login':
      session.signIn('u1')
      break
    case 'POST /logout':
      session.destroy()
      break
    default:
      response.writeHead(404).end()
      return
  }
  response.writeHead(302, { Location: '/' }).end()
}

function fail(response: ServerResponse, error: unknown) {
  console.error(error)
  const isOutage = error instanceof SessionError && 'status' in error
  if (response.headersSent) response.destroy()
  else if (isOutage) response.writeHead(503, { 'Retry-After': 1, 'Cache-Control': 'no-store' }).end()
  else response.writeHead(500).end()
}
