import { decodeIdToken, generateState, OAuth2Client } from 'arctic'
import { createSessionManager, type Session } from 'holdfast'
import { withSession } from 'holdfast/fetch'

type Data = { cart: string[] }
type Pending = { begun: { state: string; nonce: string }; userId: string }

const { origin: ORIGIN } = new URL(process.env.ORIGIN ?? 'http://localhost:3000')
const { CLIENT_ID = 'shop', CLIENT_SECRET = '' } = process.env
const { PROVIDER = 'https://provider.example' } = process.env
const client = new OAuth2Client(CLIENT_ID, CLIENT_SECRET, `${ORIGIN}/callback`)

export const sessions = createSessionManager<Data>()
const pending = createSessionManager<Pending>({
  cookie: { name: '__Host-oauth', sameSite: 'none' },
  absoluteTimeout: 600,
  idleTimeout: 600,
})

const withPending = withSession(pending, (request, oauth, session: Session<Data>) =>
  route(request, oauth, session),
)
export const handle = withSession(sessions, (request, session) => withPending(request, session))

async function route(request: Request, oauth: Session<Pending>, session: Session<Data>): Promise<Response> {
  switch (`${request.method} ${new URL(request.url).pathname}`) {
    case 'GET /login': {
      const begun = { state: generateState(), nonce: generateState() }
      oauth.set('begun', begun)
      const page = client.createAuthorizationURL(`${PROVIDER}/authorize`, begun.state, ['openid'])
      page.searchParams.set('response_mode', 'form_post')
      page.searchParams.set('nonce', begun.nonce)
      return goTo(page.href)
    }
    // The provider's page posts here, from another site: the Lax cookie does not come along, this one does.
    case 'POST /callback': {
      const form = await request.formData()
      const begun = await oauth.get('begun')
      if (!begun || begun.state !== form.get('state')) return startAgain()
      await oauth.take('begun')
      await oauth.save() // spent: of all requests with this state, one gets past this line
      const code = form.get('code')
      if (typeof code !== 'string') return startAgain() // error=…: the visitor said no
      const userId = await userOf(code, begun.nonce)
      if (userId === undefined) return startAgain()
      oauth.set('userId', userId)
      return goTo('/welcome')
    }
    // A link from another site: here both come along, so the visitor's cart is still his.
    case 'GET /welcome': {
      const userId = await oauth.take('userId')
      await oauth.save()
      if (userId === undefined) return startAgain()
      oauth.destroy()
      session.signIn(userId)
      return goTo('/')
    }
    case 'GET /':
      return Response.json({ userId: await session.userId(), cart: await session.get('cart') })
    default:
      return new Response('not found', { status: 404 })
  }
}

async function userOf(code: string, nonce: string): Promise<string | undefined> {
  const tokens = await client.validateAuthorizationCode(`${PROVIDER}/token`, code, null)
  const claims = decodeIdToken(tokens.idToken()) as { sub: string; nonce?: string } // arctic says no more than `object`
  return claims.nonce === nonce ? `provider:${claims.sub}` : undefined
}

function goTo(location: string): Response {
  return new Response(null, { status: 303, headers: { Location: location } })
}

function startAgain(): Response {
  return new Response('please sign in again', { status: 403 })
}
