import { createMiddleware } from 'hono/factory'
import { createSessionManager } from 'holdfast'
import type { SessionVariables } from 'holdfast/hono'

const DAY = 86_400

export const manager = createSessionManager({ idleTimeout: false, absoluteTimeout: 30 * DAY })

/** After `session(manager)`, on pages: thirty days from the last day on which one was asked for. */
export const rolling = createMiddleware<{ Variables: SessionVariables }>(async (c, next) => {
  const { session } = c.var
  const expiresAt = await session.expiresAt()
  const isOlderThanADay = expiresAt !== undefined && expiresAt < Date.now() + 29 * DAY * 1000
  if (isOlderThanADay) session.setTimeouts({ absolute: 30 * DAY })
  await next()
})
