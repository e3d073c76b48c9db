import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { csrf } from 'hono/csrf'
import Koa from 'koa'
import { mayBeForged } from '../../examples/node/may-be-forged.ts'
import { session as honoSession } from '../../src/adapters/hono.ts'
import { session as koaSession } from '../../src/adapters/koa.ts'
import type { Session, SessionManager } from '../../src/core/index.ts'

/** The shop, with the check that docs/csrf.md shows for the framework or without any. */
export const frameworks: {
  name: string
  shop(manager: SessionManager, isChecked: boolean): RequestListener
}[] = [
  {
    name: 'Hono',
    shop(manager, isChecked) {
      const app = new Hono()
      if (isChecked) app.use(csrf())
      app.use(honoSession(manager)).all('*', async (c) => {
        const url = new URL(c.req.url)
        await handle(c.var.session, c.req.method, url)
        return url.pathname === '/' ? c.html(ORDER_FORM) : c.body(null, 204)
      })
      return getRequestListener(app.fetch)
    },
  },
  {
    name: 'Koa',
    shop(manager, isChecked) {
      const app = new Koa()
      app.use((ctx, next) => {
        if (isChecked && mayBeForged(ctx, ctx.URL.origin)) ctx.throw(403)
        return next()
      })
      app.use(koaSession(manager)).use(async (ctx) => {
        await handle(ctx.session, ctx.method, ctx.URL)
        if (ctx.path === '/') ctx.body = ORDER_FORM
        else ctx.status = 204
      })
      return app.callback() as RequestListener
    },
  },
]

/** Orders are for who is signed in. That GET places one, too, is the mistake that no check makes up for. */
async function handle(session: Session, method: string, { pathname, searchParams }: URL): Promise<void> {
  if (method === 'POST' && pathname === '/sign-in') {
    session.regenerateId()
    session.set('name', searchParams.get('name'))
  }
  if (pathname === '/order' && (await session.has('name'))) {
    await session.update('orders', (n = 0) => n + 1)
  }
}

const ORDER_FORM =
  '<!doctype html><title>Shop</title><form method="post" action="/order"><button>Order</button></form>'

/** All that the attacker has is a page to run scripts in. */
export const attackersPage: RequestListener = (_request, response) => {
  response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>Free ropes!</title>')
}

export interface Site {
  /** Its origin under any name that leads to the loopback. */
  at(host: string): string
  close(): Promise<void>
}

export async function serve(listener: RequestListener): Promise<Site> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    at: (host) => `http://${host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
