import { CodeChallengeMethod, decodeIdToken, generateCodeVerifier, generateState, OAuth2Client } from 'arctic'
import { Hono, type Context } from 'hono'
import { createSessionManager } from 'holdfast'
import { session } from 'holdfast/hono'

type Data = {
  cart: string[]
  signingIn: { state: string; codeVerifier: string; returnTo: string }
}

const { origin: ORIGIN } = new URL(process.env.ORIGIN ?? 'http://localhost:3000')
const { CLIENT_ID = 'shop', CLIENT_SECRET = '' } = process.env
const { PROVIDER = 'https://provider.example' } = process.env
const client = new OAuth2Client(CLIENT_ID, CLIENT_SECRET, `${ORIGIN}/callback`)

export const manager = createSessionManager<Data>()
export const app = new Hono()
  .use(session(manager))
  .get('/login', (c) => {
    const state = generateState()
    const codeVerifier = generateCodeVerifier()
    c.var.session.set('signingIn', { state, codeVerifier, returnTo: addressOfOurs(c.req.query('returnTo')) })
    const page = client.createAuthorizationURLWithPKCE(
      `${PROVIDER}/authorize`,
      state,
      CodeChallengeMethod.S256,
      codeVerifier,
      ['openid'],
    )
    return c.redirect(page)
  })
  .get('/callback', async (c) => {
    const { session } = c.var
    const { state, code } = c.req.query()
    const begun = await session.get('signingIn')
    if (!begun || begun.state !== state) return startAgain(c)
    await session.take('signingIn')
    await session.save() // spent: of all requests with this state, one gets past this line
    if (!code) return startAgain(c) // error=access_denied: the visitor said no
    session.signIn(await userOf(code, begun.codeVerifier))
    return c.redirect(begun.returnTo)
  })
  .get('/', async (c) => {
    const { session } = c.var
    return c.json({ userId: await session.userId(), cart: await session.get('cart') })
  })

/** What somebody else put into a link must not lead visitors to his pages (an open redirect). */
function addressOfOurs(path = '/'): string {
  const address = URL.canParse(path, ORIGIN) ? new URL(path, ORIGIN).href : ''
  return address.startsWith(`${ORIGIN}/`) ? address : `${ORIGIN}/`
}

async function userOf(code: string, codeVerifier: string): Promise<string> {
  const tokens = await client.validateAuthorizationCode(`${PROVIDER}/token`, code, codeVerifier)
  const { sub } = decodeIdToken(tokens.idToken()) as { sub: string } // arctic says no more than `object`
  return `provider:${sub}`
}

function startAgain(c: Context) {
  return c.html('<a href="/login">Please sign in again</a>', 403)
}
