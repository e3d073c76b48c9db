import { ServerResponse } from 'node:http'
import type { Request } from 'express'
import { getIronSession, type SessionOptions } from 'iron-session'
import type { OldData } from './carry-over.ts'

/** Asks iron-session, with a response that nobody gets. */
export function readIronSession(options: SessionOptions) {
  return (request: Request) => getIronSession<Partial<OldData>>(request, new ServerResponse(request), options)
}
