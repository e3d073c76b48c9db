import type { Context, Handler } from 'hono'
import type { SessionVariables } from 'holdfast/hono'

type Data = { cart: string[]; theme: string }
type Env = { Variables: SessionVariables<Data> }

/** Makes a handler for those who are signed in: it gets who it is, and others get the sign-in page. */
export function signedIn(
  handler: (c: Context<Env>, userId: string) => Response | Promise<Response>,
): Handler<Env> {
  return async (c) => {
    const userId: unknown = await c.var.session.userId()
    if (typeof userId !== 'string') return c.redirect('/login')
    return handler(c, userId)
  }
}
