import { Hono } from 'hono'
import type { SessionVariables } from 'holdfast/hono'

type Data = { cart: string[] }

declare module 'hono' {
  interface ContextVariableMap extends SessionVariables<Data> {}
}

export const cart = new Hono().get('/', async (c) =>
  c.json({ cart: (await c.var.session.get('cart')) ?? [] }),
)
