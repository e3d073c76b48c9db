import { createServer } from 'node:http'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import { session, type SessionRequest } from 'holdfast/node'

type Data = { views: number }
type Bindings = HttpBindings & { incoming: SessionRequest<Data> }

const sessions = session<Data>()
const app = new Hono<{ Bindings: Bindings }>().get('/', async (c) => {
  const views = await c.env.incoming.session.update('views', (n = 0) => n + 1)
  c.env.outgoing.writeHead(200, { 'Content-Type': 'text/plain' }).end(`view ${views}`)
  return RESPONSE_ALREADY_SENT
})
const answer = getRequestListener(app.fetch)

export const server = createServer((request, response) => {
  sessions(request, response, (error) => {
    if (error) response.writeHead(500).end()
    else void answer(request, response)
  })
})
