/** @jsxImportSource hono/jsx */
import { Hono } from 'hono'
import { Suspense } from 'hono/jsx'
import { jsxRenderer } from 'hono/jsx-renderer'
import { createSessionManager } from 'holdfast'
import { session } from 'holdfast/hono'

type Data = { views: number; offers: number }

export const manager = createSessionManager<Data>()

export const app = new Hono()
  .use(session(manager))
  .use(
    jsxRenderer(
      ({ children }) => (
        <html lang="en">
          <body>{children}</body>
        </html>
      ),
      { stream: true },
    ),
  )
  .get('/', async (c) => {
    const views = await c.var.session.update('views', (n = 0) => n + 1)
    return c.render(
      <main>
        <p>view {views}</p>
        <Suspense fallback={<p>a moment</p>}>
          <Offer cookie={c.req.header('Cookie')} />
        </Suspense>
      </main>,
    )
  })

/** Runs when the session of the request is committed: a second one, opened from the same cookie. */
async function Offer({ cookie }: { cookie: string | undefined }) {
  const offer = await findOffer()
  const session = manager.open(cookie, { canSetHeaders: () => false }) // the head has left
  if (await session.exists()) {
    await session.update('offers', (n = 0) => n + 1)
    await manager.commit(session, () => ({ status: 200, headers: new Headers() }))
  }
  return <p>{offer}</p>
}

async function findOffer() {
  await new Promise((resolve) => setTimeout(resolve, 10)) // as a slow service would
  return 'ten metres of rope'
}
