import Router from '@koa/router'
import type { SessionContext } from 'holdfast/koa'

type Data = { cart: string[] }

declare module 'koa' {
  interface ExtendableContext extends SessionContext<Data> {}
}

export const cart = new Router().get('/cart', async (ctx) => {
  ctx.body = (await ctx.session.get('cart')) ?? []
})
