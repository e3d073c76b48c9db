import { Router, type Request } from 'express'
import type { SessionRequest } from 'holdfast/node'
import { carryOver, type Data, type OldData } from './carry-over.ts'

/** After `session(manager)`. `read` asks the old library what its cookies hold; then these go. */
export function fromCookie(read: (request: Request) => Promise<Partial<OldData>>, ...names: string[]) {
  return Router().use(async (request, response, next) => {
    const { session } = request as typeof request & SessionRequest<Data>
    if (await carryOver(session, await read(request))) for (const name of names) response.clearCookie(name)
    next()
  })
}
