import { Hono } from 'hono'
import { session } from 'holdfast/hono'
import { cart } from './cart.ts'
import { manager } from './sessions.ts'

export const app = new Hono().use(session(manager)).route('/cart', cart)
export type App = typeof app
