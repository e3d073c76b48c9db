import { createServer } from 'node:http'
import type { Session } from 'holdfast'
import { session, type SessionRequest } from 'holdfast/node'
import Koa from 'koa'
import { createServer as createVite } from 'vite'

type Data = { views: number }

const sessions = session<Data>()

export async function startShop(root: string) {
  const vite = await createVite({ root, server: { middlewareMode: true, hmr: false } })
  const app = new Koa<object, { session: Session<Data> }>()
  app.use(async (ctx, next) => {
    ctx.session = (ctx.req as typeof ctx.req & SessionRequest<Data>).session
    await next()
  })
  app.use(async (ctx) => {
    const views = await ctx.session.update('views', (n = 0) => n + 1)
    if (ctx.path === '/views') {
      ctx.body = `view ${views}`
      return
    }
    ctx.respond = false
    ctx.status = 200
    vite.middlewares(ctx.req, ctx.res)
  })
  const handle = app.callback()
  const server = createServer((request, response) => {
    sessions(request, response, (error) => {
      if (error) response.writeHead(500).end()
      else void handle(request, response)
    })
  })
  return { server, vite }
}
