import { createSessionManager, type Session, type SessionManager } from 'holdfast'
import { MemcachedStore } from 'holdfast/memcached'
import { cookies } from 'next/headers'
import { unstable_rethrow } from 'next/navigation'
import { NextResponse } from 'next/server'
import { cache } from 'react'

type Data = { views: number }

/** Next bundles pages and routes apart, and loads them anew while you edit: one manager for all of them. */
const shared = globalThis as { sessions?: SessionManager<Data> }
export const manager = (shared.sessions ??= createSessionManager<Data>({
  store: process.env.SESSION_STORE ? new MemcachedStore(process.env.SESSION_STORE) : undefined,
  secret: process.env.SESSION_SECRET,
}))

/** A page sets no cookie, so its session is there to be read. */
export const readSession = cache(
  async (): Promise<Pick<Session<Data>, 'get' | 'has' | 'entries' | 'userId' | 'expiresAt'>> =>
    manager.open(await cookieHeader()),
)

/** For a server action: runs it, and commits its session. */
export async function inSession<Result>(
  action: (session: Session<Data>) => Result | Promise<Result>,
): Promise<Result> {
  const session = manager.open(await cookieHeader())
  const headers = new Headers()
  let status = 200
  try {
    return await action(session)
  } catch (error) {
    status = isAnswer(error) ? 303 : 500
    throw error
  } finally {
    try {
      await manager.commit(session, () => ({ status, headers }))
    } finally {
      await setCookies(headers)
    }
  }
}

async function setCookies(headers: Headers): Promise<void> {
  const jar = await cookies()
  for (const cookie of new NextResponse(null, { headers }).cookies.getAll()) {
    // Of a cookie that is cleared Next's parser leaves out both the empty value and the `Max-Age=0`.
    if (cookie.value) jar.set(cookie)
    else jar.delete(cookie)
  }
}

/**
 * Not of `headers()`: after an action the page is rendered with the cookie that it has set. Encoded again: Next has
 * decoded the values, and one may hold `; __Host-session=…`.
 */
async function cookieHeader(): Promise<string> {
  const pairs = (await cookies()).getAll().map(({ name, value }) => `${name}=${encodeURIComponent(value)}`)
  return pairs.join('; ')
}

/** `redirect()` and `notFound()` throw. */
function isAnswer(error: unknown): boolean {
  try {
    unstable_rethrow(error)
    return false
  } catch {
    return true
  }
}
