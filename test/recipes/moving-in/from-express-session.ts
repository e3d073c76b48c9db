import { promisify } from 'node:util'
import cookieParser from 'cookie-parser'
import { Router } from 'express'
import type { SessionRequest } from 'holdfast/node'
import { carryOver, type Data } from './carry-over.ts'

/** What every store of express-session has. */
interface OldStore {
  get(id: string, done: (error: unknown, data?: any) => void): void
  destroy(id: string, done: (error?: unknown) => void): void
}

/** After `session(manager)`. `old` is the store that express-session had, made as it was made for it. */
export function fromExpressSession(old: OldStore, secrets: string[], name = 'connect.sid') {
  const get = promisify(old.get.bind(old))
  const destroy = promisify(old.destroy.bind(old))
  return Router().use(cookieParser(secrets), async (request, response, next) => {
    const id: unknown = request.signedCookies[name] // undefined without a cookie, false with a wrong signature
    const { session } = request as typeof request & SessionRequest<Data>
    if (typeof id === 'string' && (await carryOver(session, await get(id)))) {
      await destroy(id)
      response.clearCookie(name)
    }
    next()
  })
}
