/** @jsxImportSource hono/jsx */
import { Hono } from 'hono'
import { Suspense } from 'hono/jsx'
import { jsxRenderer } from 'hono/jsx-renderer'
import type { Session, SessionManager } from 'holdfast'
import { session } from 'holdfast/hono'

type Data = { views: number }

/** Pages that do what docs/frameworks/hono.md warns of: a component that writes once it has waited. */
export function createLate(manager: SessionManager<Data>) {
  return new Hono()
    .use(session(manager))
    .use(jsxRenderer(({ children }) => <main>{children}</main>, { stream: true }))
    .get('/bare', (c) => c.render(<Late session={c.var.session} />))
    .get('/in-suspense', (c) =>
      c.render(
        <Suspense fallback={<p>a moment</p>}>
          <Late session={c.var.session} />
        </Suspense>,
      ),
    )
}

async function Late({ session }: { session: Session<Data> }) {
  await new Promise((resolve) => setTimeout(resolve, 10))
  return <p>view {await session.update('views', (n = 0) => n + 1)}</p>
}
