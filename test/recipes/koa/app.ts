import { session } from 'holdfast/koa'
import Koa from 'koa'
import { cart } from './cart.ts'
import { manager, type Context } from './sessions.ts'

export const app = new Koa<object, Context>()
app.use(session(manager))
app.use(cart.routes())
app.use(cart.allowedMethods())
