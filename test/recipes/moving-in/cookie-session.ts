import { ServerResponse } from 'node:http'
import cookieSession from 'cookie-session'
import type { Request, Response } from 'express'
import type { OldData } from './carry-over.ts'

/** Asks cookie-session, on a request whose `session` is its own, and with a response that nobody gets. */
export function readCookieSession(options: Parameters<typeof cookieSession>[0]) {
  const read = cookieSession(options)
  return async (request: Request) => {
    const apart = Object.create(request) as Request
    await new Promise<void>((done) => void read(apart, new ServerResponse(request) as Response, () => done()))
    return { ...(apart as unknown as { session: Partial<OldData> }).session }
  }
}
