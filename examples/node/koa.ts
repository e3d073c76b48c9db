// A Koa app that shares its sign-ins with the shop: start both with the same SESSION_STORE and SESSION_SECRET.
import type { AddressInfo } from 'node:net'
import { html } from 'hono/html'
import { session, type SessionContext } from 'holdfast/koa'
import Koa from 'koa'
import { addToCart } from '../shop/cart.ts'
import { findGood } from '../shop/goods.ts'
import { layout } from '../shop/layout.ts'
import { describeStart, readSettings, type Data } from '../shop/settings.ts'
import { mayBeForged } from './may-be-forged.ts'

const { manager, places, notes } = readSettings()
const app = new Koa<object, SessionContext<Data>>()

app.use((ctx, next) => {
  if (mayBeForged(ctx, ctx.URL.origin)) ctx.throw(403)
  return next()
})
app.use(session(manager))

app.use(async (ctx) => {
  const { session } = ctx
  switch (`${ctx.method} ${ctx.path}`) {
    case 'GET /':
      ctx.body = String(await greeting(ctx))
      ctx.type = 'html'
      // After a sign-out, the browser's back button must ask the server again.
      ctx.set('Cache-Control', 'no-store')
      return
    case 'POST /sign-out':
      session.destroy()
      break
    case 'POST /cart/cleat/add':
      addToCart(session, 'cleat')
      break
    default:
      ctx.throw(404)
  }
  ctx.redirect('/')
  ctx.status = 303
})

async function greeting({ session }: SessionContext<Data>) {
  const name = await session.userId()
  const cart = Object.entries((await session.get('cart')) ?? {})
  return layout({
    title: 'Koa',
    nav: html``,
    notice: await session.take('notice'),
    main: html` <h1>Good day, ${name ?? 'stranger'}.</h1>
      <p class="lede">This is Koa, next door to the shop: the same cookie, the same store.</p>
      ${
        name === undefined
          ? html`<p>Sign in at the shop, and you are known here, too.</p>`
          : html`<form class="sign-out" method="post" action="/sign-out"><button>Sign out</button></form>`
      }
      <h2>Your cart</h2>
      ${
        cart.length === 0
          ? html`<p>Nothing in it yet.</p>`
          : html`<ul>
              ${cart.map(([id, count]) => html`<li>${count} × ${findGood(id)?.name}</li>`)}
            </ul>`
      }
      <form method="post" action="/cart/cleat/add"><button>Add a bronze cleat</button></form>`,
  })
}

const server = app.listen(Number(process.env.PORT ?? 3001), () => {
  const { port } = server.address() as AddressInfo
  console.log(
    describeStart('The office (Koa on Node)', port, { places: { sessions: places.sessions }, notes }),
  )
})
