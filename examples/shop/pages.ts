import { html } from 'hono/html'
import type { UserSession } from 'holdfast'
import { findGood, type Catalogue, type Good } from './goods.ts'
import { layout, type Html } from './layout.ts'
import { logbookPlace } from './logbook.ts'
import type { Data, Settings } from './settings.ts'

interface Visit {
  name: string | undefined
  cart: Data['cart']
  notice: string | undefined
  expiresAt: number | undefined
  places: Settings['places']
}

export function goodsPage(visit: Visit & { views: number; catalogue: Catalogue }): Html {
  const { name, cart, notice, expiresAt, views, catalogue, places } = visit
  const source = catalogue.isCached
    ? 'From the object cache, in'
    : 'Worked out, and put into the object cache, in'
  return layout({
    title: 'Goods',
    nav: nav('/', cart),
    notice,
    main: html` <h1>Good day, ${name ?? 'stranger'}.</h1>
      <p class="lede">${describeViews(views)}</p>
      ${until(expiresAt)} ${name === undefined ? signInForm() : signOutForm()}
      <h2>Goods</h2>
      <p class="source">${source} <strong>${catalogue.milliseconds.toFixed(2)} ms</strong>.</p>
      <ul class="goods">
        ${catalogue.goods.map(goodItem)}
      </ul>`,
    aside: html`${logbookPlace}${twoStores(places)}`,
  })
}

export function cartPage({ name, cart, notice, expiresAt, places }: Visit): Html {
  const lines = Object.entries(cart).map(([id, count]) => ({ good: findGood(id), count }))
  const known = lines.filter((line): line is { good: Good; count: number } => line.good !== undefined)
  const total = known.reduce((sum, { good, count }) => sum + good.price * count, 0)
  return layout({
    title: 'Cart',
    nav: nav('/cart', cart),
    notice,
    main: html` <h1>${name === undefined ? 'Your cart' : `${name}’s cart`}</h1>
      ${
        known.length === 0
          ? html`<p class="lede">Nothing in it yet. <a href="/">See the goods</a></p>`
          : html`<ul class="lines">
                ${known.map(cartLine)}
              </ul>
              <p class="total">Total <strong>€ ${total}</strong></p>`
      }
      ${until(expiresAt)}`,
    aside: html`${logbookPlace}${twoStores(places)}`,
  })
}

export function devicesPage({
  name,
  cart,
  notice,
  places,
  devices,
}: Visit & { devices: UserSession[] }): Html {
  return layout({
    title: 'Your devices',
    nav: nav('/devices', cart),
    notice,
    main: html` <h1>Your devices</h1>
      ${
        name === undefined
          ? html`<p class="lede">Sign in, here and in other browsers, and they are listed here.</p>
              ${signInForm()}`
          : html`<p class="lede">This is where you are signed in as ${name}.</p>
              <ul class="devices">
                ${devices.map(deviceLine)}
              </ul>
              ${
                devices.length > 1 &&
                html`<form method="post" action="/devices/end-others">
                  <button>Sign out everywhere else</button>
                </form>`
              }`
      }`,
    aside: html`${logbookPlace}${twoStores(places)}`,
  })
}

/** Touches no session, so it has neither name nor cart to show. */
export function aboutPage(): Html {
  return layout({
    title: 'About',
    nav: nav('/about'),
    main: html` <h1>Why two stores</h1>
      <p class="lede">A cache may forget. A session may not.</p>
      <p>
        Sessions in a database are slow, so sites put them into the memcached that they have anyway, next to
        the cached objects. Then somebody flushes that cache, after a deploy or in an emergency, and everybody
        is signed out.
      </p>
      <p>
        Holdfast gives the sessions <strong>a memcached of their own</strong>, and a store that knows how
        memcached fails. Sign in, flush the object cache, and look: the goods are worked out again, and you
        are still signed in.
      </p>
      <h2>What a page costs</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">A page that</th>
            <th scope="col">Store operations</th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">does not touch the session, like this one</th>
            <td>0</td>
          </tr>
          <tr>
            <th scope="row">reads it, like <a href="/cart">the cart</a></th>
            <td>1</td>
          </tr>
          <tr>
            <th scope="row">reads and changes it, like <a href="/">the goods</a></th>
            <td>2</td>
          </tr>
          <tr>
            <th scope="row">
              serves somebody who is signed in, and asks whether this is still one of the
              <a href="/devices">devices</a>
            </th>
            <td>1 more</td>
          </tr>
          <tr>
            <th scope="row">serves a session with an idle timeout of its own (“Keep me signed in”)</th>
            <td>1 more</td>
          </tr>
        </tbody>
      </table>
      <p>
        Forms answer with a redirect, which shows no panel: for what they cost, and for the cookie that
        signing in sets, see <code>Server-Timing</code> in your browser’s developer tools.
      </p>
      <p>To see the old complaint, give both stores the same address, sign in, and flush.</p>`,
    aside: logbookPlace,
  })
}

export function errorPage(title: string, text: string): Html {
  return layout({
    title,
    nav: nav(),
    main: html`<h1>${title}</h1>
      <p class="lede">${text}</p>
      <p><a href="/about">A page that needs no session</a></p>`,
    aside: logbookPlace,
  })
}

function nav(current?: string, cart: Data['cart'] = {}): Html {
  const count = Object.values(cart).reduce((sum, each) => sum + each, 0)
  const link = (href: string, label: string | Html) =>
    html`<li><a href="${href}" ${href === current && html`aria-current="page"`}>${label}</a></li>`
  const cartLabel = count === 0 ? 'Cart' : html`Cart <b>${count}</b>`
  return html`<nav aria-label="Pages">
    <ul>
      ${link('/', 'Goods')}${link('/cart', cartLabel)}${link('/devices', 'Devices')}${link('/about', 'About')}
    </ul>
  </nav>`
}

function signInForm(): Html {
  return html`<form class="card sign-in" method="post" action="/sign-in">
    <label for="name">Your name</label>
    <input id="name" name="name" required maxlength="40" autocomplete="nickname" />
    <label class="keep"
      ><input type="checkbox" name="keep" value="yes" /> Keep me signed in for 30 days</label
    >
    <button class="primary">Sign in</button>
  </form>`
}

function signOutForm(): Html {
  return html`<form class="sign-out" method="post" action="/sign-out"><button>Sign out</button></form>`
}

function deviceLine({ id, label, signedInAt, lastSeenAt, isCurrent }: UserSession): Html {
  return html`<li>
    <h2>${label} ${isCurrent && html`<strong>this device</strong>`}</h2>
    <p>Since ${time(signedInAt)}<br />Last seen ${isCurrent ? 'now' : time(lastSeenAt)}</p>
    ${
      isCurrent
        ? signOutForm()
        : html`<form method="post" action="/devices/${id}/end">
            <button aria-label="End: ${label}, since ${readable(signedInAt)}">End</button>
          </form>`
    }
  </li>`
}

function time(at: number): Html {
  return html`<time datetime="${new Date(at).toISOString()}">${readable(at)}</time>`
}

const DATE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' })

/** In UTC, and says so: the server does not know the visitor's zone. */
function readable(at: number): string {
  return `${DATE.format(at)} UTC`
}

function until(expiresAt: number | undefined): Html | false {
  return (
    expiresAt !== undefined &&
    html`<p class="until">Your session lives until ${time(expiresAt)}; each visit prolongs it.</p>`
  )
}

function describeViews(views: number): string {
  if (views === 0)
    return 'You have no session, so nothing is kept about you. Sign in, or put something into your cart.'
  return `You have looked at this page ${views === 1 ? 'once' : `${views} times`} in this session.`
}

function goodItem({ id, name, about, price }: Good): Html {
  return html`<li>
    <h3>${name}</h3>
    <p>${about}</p>
    <form method="post" action="/cart/${id}/add">
      <span class="price">€ ${price}</span>
      <button aria-label="Add to cart: ${name}">Add to cart</button>
    </form>
  </li>`
}

function cartLine({ good, count }: { good: Good; count: number }): Html {
  return html`<li>
    <span class="number">${count} ×</span> <span>${good.name}</span>
    <span class="price">€ ${good.price * count}</span>
    <form method="post" action="/cart/${good.id}/remove">
      <button aria-label="Remove one: ${good.name}">Remove one</button>
    </form>
  </li>`
}

function twoStores({ sessions, objects }: Settings['places']): Html {
  return html`<section class="card" aria-labelledby="stores">
    <h2 id="stores">Two stores</h2>
    <dl>
      <div>
        <dt>Sessions</dt>
        <dd>${sessions}</dd>
      </div>
      <div>
        <dt>Objects</dt>
        <dd>${objects}</dd>
      </div>
    </dl>
    <form method="post" action="/flush"><button>Flush the object cache</button></form>
    <p class="why">
      The goods have to be worked out again. You stay signed in: sessions do not live in the cache.
    </p>
  </section>`
}
