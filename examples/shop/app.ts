import { Hono } from 'hono'
import { csrf } from 'hono/csrf'
import type { Session } from 'holdfast'
import { session, type SessionVariables } from 'holdfast/hono'
import { addToCart, removeFromCart } from './cart.ts'
import { describeDevice } from './device.ts'
import { findGood, loadCatalogue } from './goods.ts'
import { showLogbook } from './logbook.ts'
import { aboutPage, cartPage, devicesPage, errorPage, goodsPage } from './pages.ts'
import { whyEnded } from './recording-store.ts'
import type { Data, Settings } from './settings.ts'

const DAYS = 86_400
const KEPT = { idle: 30 * DAYS, absolute: 30 * DAYS, persistent: true }

/** For pages about one visitor: after a sign-out, the browser's back button must ask the server again. */
const NOT_KEPT = { 'Cache-Control': 'no-store' }

/** The shop: a Hono app for any runtime. */
export function createShop({ manager, cache, places }: Settings): Hono<{
  Variables: SessionVariables<Data>
}> {
  const app = new Hono<{ Variables: SessionVariables<Data> }>()
  app.use(showLogbook())
  // Another port of localhost is the same site, so SameSite does not keep its forms out. See docs/csrf.md.
  app.use(csrf())
  app.use(session(manager))

  app.post('*', async (c, next) => {
    await c.var.session.exists()
    // It would begin a session, whose visitor would never be told what became of the last one.
    if (whyEnded() === 'revoked' && c.req.path !== '/sign-in') return c.redirect('/', 303)
    return next()
  })

  app.get('/', async (c) => {
    const { session } = c.var
    const visitor = await readVisitor(session)
    // Who only looks gets no session: no record, no cookie.
    const views = (await session.exists()) ? await session.update('views', (n = 0) => n + 1) : 0
    const catalogue = await loadCatalogue(cache)
    return c.html(goodsPage({ ...visitor, views, catalogue, places }), 200, NOT_KEPT)
  })

  app.get('/cart', async (c) => {
    const visitor = await readVisitor(c.var.session)
    return c.html(cartPage({ ...visitor, places }), 200, NOT_KEPT)
  })

  app.get('/devices', async (c) => {
    const { session } = c.var
    const visitor = await readVisitor(session)
    const devices =
      visitor.name === undefined ? [] : await manager.listSessions(visitor.name, { current: session })
    return c.html(devicesPage({ ...visitor, devices, places }), 200, NOT_KEPT)
  })

  app.get('/about', (c) => c.html(aboutPage()))

  app.post('/sign-in', async (c) => {
    const { session } = c.var
    const { name, keep } = await c.req.parseBody()
    const trimmed = String(name ?? '').trim()
    if (trimmed === '') {
      session.set('notice', 'Please give a name to sign in with.')
      return c.redirect('/', 303)
    }
    // Here everybody is who he says; another shop asks for a password first.
    const label = describeDevice(c.req.header('User-Agent'))
    session.signIn(trimmed.slice(0, 40), { label, ...(keep ? KEPT : {}) })
    session.set('notice', 'You are signed in.')
    return c.redirect('/', 303)
  })

  app.post('/sign-out', (c) => {
    const { session } = c.var
    session.destroy()
    // What is set after destroy() begins a new session, under a new token.
    session.set('notice', 'You are signed out. Fair winds!')
    return c.redirect('/', 303)
  })

  app.post('/devices/:id{[\\w-]{22}}/end', async (c) => {
    const { session } = c.var
    const name = await session.userId()
    if (name !== undefined) {
      // Only what is on this user's own list.
      await manager.revoke(name, c.req.param('id'))
      session.set('notice', 'That device is signed out.')
    }
    return c.redirect('/devices', 303)
  })

  app.post('/devices/end-others', async (c) => {
    const { session } = c.var
    const name = await session.userId()
    if (name !== undefined) {
      await manager.revokeAll(name, { except: session })
      session.set('notice', 'You are signed out everywhere else.')
    }
    return c.redirect('/devices', 303)
  })

  app.post('/cart/:id/add', (c) => {
    const good = findGood(c.req.param('id'))
    if (!good) return c.notFound()
    addToCart(c.var.session, good.id)
    c.var.session.set('notice', `${good.name}: added to your cart.`)
    return c.redirect('/', 303)
  })

  app.post('/cart/:id/remove', (c) => {
    removeFromCart(c.var.session, c.req.param('id'))
    return c.redirect('/cart', 303)
  })

  app.post('/flush', async (c) => {
    await cache.flush()
    c.var.session.set('notice', 'The object cache is empty: the goods had to be worked out again.')
    return c.redirect('/', 303)
  })

  app.notFound((c) => c.html(errorPage('Off the chart', 'There is no such page.'), 404))

  app.onError(async (error) => {
    // Holdfast's errors for outages, and Hono's own, bring an answer: its status and headers are kept.
    const answer = 'getResponse' in error ? error.getResponse() : undefined
    const status = answer?.status ?? 500
    if (status >= 500) console.error(error)
    const page =
      status === 503
        ? errorPage('The sessions are out of reach', 'You have not been signed out. Please try again soon.')
        : errorPage('That went wrong', status < 500 ? 'This request was refused.' : 'The fault is ours.')
    const headers = new Headers(answer?.headers)
    headers.set('Content-Type', 'text/html; charset=UTF-8')
    return new Response(String(await page), { status, headers })
  })

  return app
}

async function readVisitor(session: Session<Data>) {
  const notice = await session.take('notice')
  // Said for as long as the browser comes with that cookie.
  const isRevoked = whyEnded() === 'revoked'
  return {
    notice: notice ?? (isRevoked ? 'You were signed out from another of your devices.' : undefined),
    name: await session.userId(),
    cart: (await session.get('cart')) ?? {},
    expiresAt: await session.expiresAt(),
  }
}
