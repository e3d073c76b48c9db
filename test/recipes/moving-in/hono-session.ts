import { useSession, type SessionEnv, type SessionOptions } from '@hono/session'
import { Hono } from 'hono'
import type { OldData } from './carry-over.ts'

/** With the options that it had. */
export function oldHonoSession(options: SessionOptions<OldData>) {
  return new Hono<SessionEnv<OldData>>()
    .use(useSession(options))
    .get('/', async ({ json, var: { session } }) => json(await session.get()))
    .delete('/', async ({ body, var: { session } }) => {
      await session.get() // so that it knows which
      session.delete()
      return body(null)
    })
}
