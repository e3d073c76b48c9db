import { deleteCookie, getCookie } from 'hono/cookie'
import { createMiddleware } from 'hono/factory'
import { decrypt } from 'hono-sessions'
import type { SessionVariables } from 'holdfast/hono'
import { carryOver, type Data, type OldData } from './carry-over.ts'

/** What is in the cookie of hono-sessions with a CookieStore. */
type OldSession = { _data: { [Key in keyof OldData]?: { value: OldData[Key] } }; _expire: string | null }

/** After `session(manager)`. */
export function fromHonoSessions(encryptionKey: string, name = 'session') {
  return createMiddleware<{ Variables: SessionVariables<Data> }>(async (c, next) => {
    const cookie = getCookie(c, name)
    if (cookie !== undefined) {
      const old = await open(encryptionKey, cookie)
      const isLive = old && (old._expire === null || Date.parse(old._expire) > Date.now())
      if (isLive) {
        const { userId, cart } = old._data
        await carryOver(c.var.session, { userId: userId?.value, cart: cart?.value } as Partial<OldData>)
      }
      deleteCookie(c, name)
    }
    await next()
  })
}

async function open(encryptionKey: string, cookie: string): Promise<OldSession | undefined> {
  try {
    return JSON.parse((await decrypt(encryptionKey, cookie)) as string)
  } catch {
    return undefined // it was not sealed with this key
  }
}
