import Fastify, { type FastifyInstance } from 'fastify'
import { createSessionManager, type Session, type SessionManager } from 'holdfast'

type Data = { views: number }

declare module 'fastify' {
  interface FastifyRequest {
    session: Session<Data>
  }
}

export function addSessions(app: FastifyInstance, manager: SessionManager<Data>) {
  app.decorateRequest('session')
  app.addHook('onRequest', async (request, reply) => {
    const canSetHeaders = () => !reply.raw.headersSent // after reply.hijack() no hook runs, and no cookie can follow
    request.session = manager.open(request.headers.cookie, { canSetHeaders })
  })
  app.addHook('onSend', async (request, reply, payload) => {
    if (!request.session) return payload // a hook before this one has answered
    const headers = {
      get: (name: string) => reply.getHeader(name),
      set: (name: string, value: string) => void reply.header(name, value),
      append: (name: string, value: string) => void reply.header(name, value), // Set-Cookie is added to
      delete: (name: string) => void reply.removeHeader(name),
    }
    const url = `${request.protocol}://${request.host}/`
    await manager.commit(request.session, () => ({ status: reply.statusCode, headers, url }))
    return payload
  })
}

export const app = Fastify()
addSessions(app, createSessionManager<Data>())

app.get('/', async (request) => `view ${await request.session.update('views', (n = 0) => n + 1)}`)
app.post('/login', async (request, reply) => {
  request.session.signIn('u1')
  return reply.redirect('/')
})
app.post('/logout', async (request, reply) => {
  request.session.destroy()
  return reply.redirect('/')
})
