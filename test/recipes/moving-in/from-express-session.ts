import cookieParser from 'cookie-parser'
import { Router } from 'express'
import type { SessionRequest } from 'holdfast/node'
import type { Client } from 'memjs'
import { carryOver, type Data } from './carry-over.ts'

/** After `session(manager)`. `old` is the client that connect-memjs had; put its `prefix` before `id`, if it had one. */
export function fromExpressSession(old: Client, secrets: string[], name = 'connect.sid') {
  return Router().use(cookieParser(secrets), async (request, response, next) => {
    const id: unknown = request.signedCookies[name] // undefined without a cookie, false with a wrong signature
    if (typeof id === 'string') {
      const { session } = request as typeof request & SessionRequest<Data>
      const { value } = await old.get(id)
      if (value) await carryOver(session, JSON.parse(String(value)))
      await old.delete(id)
    }
    if (id !== undefined) response.clearCookie(name)
    next()
  })
}
