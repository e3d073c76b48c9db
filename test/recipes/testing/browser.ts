import type { BrowserContext } from 'playwright-core'

/** The browser holds this session from now on, as if it had begun at that host. */
export async function holdSession(context: BrowserContext, cookie: string, host = 'localhost') {
  const [name = '', value = ''] = cookie.split('=')
  // Of an http address a Secure cookie is not taken here. To http://localhost it is sent all the same.
  await context.addCookies([{ name, value, url: `https://${host}` }])
}

/** For `readSession`. */
export async function cookieHeaderOf(context: BrowserContext) {
  const cookies = await context.cookies()
  return cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
}
