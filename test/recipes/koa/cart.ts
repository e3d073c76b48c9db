import Router from '@koa/router'
import type { Context } from './sessions.ts'

export const cart = new Router<object, Context>({ prefix: '/cart' })

cart.get('/', async (ctx) => {
  ctx.body = (await ctx.session.get('cart')) ?? []
})
cart.post('/:item', async (ctx) => {
  const { item = '' } = ctx.params
  ctx.body = await ctx.session.update('cart', (cart = []) => [...cart, item])
})
