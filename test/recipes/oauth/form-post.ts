import { createSessionManager, type Session } from 'holdfast'
import { withSession } from 'holdfast/fetch'

type Data = { cart: string[] }
type Pending = { state: string; userId: string }

/** What your OAuth library does. */
export interface Provider {
  pageFor(state: string): string
  userOf(code: string): Promise<string>
}

const sessions = createSessionManager<Data>()
const pending = createSessionManager<Pending>({
  cookie: { name: '__Host-oauth', sameSite: 'none' },
  absoluteTimeout: 600,
  idleTimeout: 600,
})

export function serve(provider: Provider) {
  const inner = withSession(pending, (request, oauth, session: Session<Data>) =>
    route(provider, request, oauth, session),
  )
  return withSession(sessions, (request, session) => inner(request, session))
}

async function route(
  provider: Provider,
  request: Request,
  oauth: Session<Pending>,
  session: Session<Data>,
): Promise<Response> {
  switch (new URL(request.url).pathname) {
    case '/login': {
      const state = crypto.randomUUID()
      oauth.set('state', state)
      return goTo(provider.pageFor(state))
    }
    // The provider's page posts here, from another site: the Lax cookie does not come along, this one does.
    case '/callback': {
      const form = await request.formData()
      const state = await oauth.take('state')
      await oauth.save() // spent, once
      if (state === undefined || state !== form.get('state')) return startAgain()
      oauth.set('userId', await provider.userOf(String(form.get('code'))))
      return goTo('/welcome')
    }
    // A link from another site: here both come along, so the visitor's cart is still his.
    case '/welcome': {
      const userId = await oauth.take('userId')
      await oauth.save()
      if (userId === undefined) return startAgain()
      oauth.destroy()
      session.signIn(userId)
      return goTo('/')
    }
    case '/cart':
      await session.update('cart', (cart = []) => [...cart, 'rope'])
      return goTo('/')
    default:
      return Response.json({ userId: await session.userId(), ...(await session.entries()) })
  }
}

function goTo(location: string): Response {
  return new Response(null, { status: 303, headers: { Location: location } })
}

function startAgain(): Response {
  return new Response('please sign in again', { status: 403 })
}
