// One of several servers on one memcached, or one Redis (STORE_KIND, STORE_PORT), with the same routes through Hono and Koa: a request says what
// it does to its session, and the log what became of it.
import { AsyncLocalStorage } from 'node:async_hooks'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import Koa from 'koa'
import { session as honoSession, type SessionVariables } from '../../src/adapters/hono.ts'
import { session as koaSession } from '../../src/adapters/koa.ts'
import { createSessionManager, type Session } from '../../src/core/index.ts'
import type { Answer, Outcome, Request } from '../proofs/history.ts'
import { openStore } from './store-servers.ts'

const log = new Map<string, Outcome>()
const current = new AsyncLocalStorage<Outcome>()

const store = await openStore()
store.watch!(() => {})

const manager = createSessionManager({
  // Of a store that says when a server is down, refusals are not told one by one; the history needs each.
  store: new Proxy(store, {
    get(target, name) {
      const value: unknown = name === 'watch' ? undefined : Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  }),
  secret: 'a secret of the proofs, long enough for one',
  maxSessionsPerUser: 100,
  onEvent: ({ type }) => void current.getStore()?.events.push(type),
})

const hono = new Hono<{ Variables: SessionVariables }>()
hono.onError((error, c) => {
  noteRefusal(error)
  if ('getResponse' in error) return (error.getResponse as () => Response)()
  return c.text('failed', 500)
})
hono.use((c, next) => logged(requestIn(c.req.query('request')), next))
hono.use(honoSession(manager))
hono.post('/Hono', async (c) => c.json(await carryOut(requestIn(c.req.query('request')), c.var.session)))

const koa = new Koa()
koa.silent = true
koa.use((ctx, next) => logged(requestIn(ctx.query['request']), next))
koa.use(koaSession(manager)).use(async (ctx) => {
  ctx.body = await carryOut(requestIn(ctx.query['request']), ctx.session)
})

const listeners: Record<string, RequestListener> = {
  '/Hono': getRequestListener(hono.fetch),
  '/Koa': koa.callback() as RequestListener,
  '/log': (_, response) => void response.end(JSON.stringify(emptiedLog())),
}
const server = createServer((request, response) => {
  listeners[new URL(request.url!, 'http://localhost').pathname]!(request, response)
})
server.listen(0, '127.0.0.1', () => {
  console.log(`http://localhost:${(server.address() as AddressInfo).port}`)
})

function emptiedLog(): Record<string, Outcome> {
  const entries = Object.fromEntries(log)
  log.clear()
  return entries
}

function requestIn(query: unknown): Request {
  return JSON.parse(query as string) as Request
}

/** Events of the commit after the handler count, too. */
function logged<Result>({ id }: Request, next: () => Promise<Result>): Promise<Result> {
  if (log.has(id)) throw new Error(`${id} came twice`)
  const outcome: Outcome = { events: [], taken: [] }
  log.set(id, outcome)
  return current.run(outcome, async () => {
    try {
      return await next()
    } catch (error) {
      noteRefusal(error)
      throw error
    }
  })
}

async function carryOut({ id, steps, isExplicit }: Request, session: Session): Promise<Answer> {
  const answer: Answer = {}
  for (const step of steps) {
    switch (step.type) {
      case 'set':
        session.set(step.key, step.value)
        break
      case 'delete':
        session.delete(step.key)
        break
      case 'increment':
        await session.update(step.key, (n: number = 0) => n + 1)
        break
      case 'append':
        await session.update(step.key, (ids: string[] = []) => [...ids, id])
        break
      case 'take':
        current.getStore()!.taken.push((await session.take(step.key)) ?? null)
        break
      case 'read':
        answer.read = await session.entries()
        answer.user = await session.userId()
        break
      case 'destroy':
        session.destroy()
        break
      case 'regenerate':
        session.regenerateId()
        break
      case 'sign-in':
        session.signIn(step.user, { label: id })
        break
      case 'list':
        answer.listed = await manager.listSessions(step.user, { current: session })
        break
      case 'revoke':
        await manager.revoke(step.user, step.entry)
        break
      case 'revoke-others':
        await manager.revokeAll(step.user, { except: session })
    }
  }
  if (isExplicit) await session.save()
  return answer
}

function noteRefusal(error: unknown): void {
  current.getStore()!.refusal = (error as { code: string }).code
}
