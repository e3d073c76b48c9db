import axe from 'axe-core'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { serve } from '@hono/node-server'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createShop } from '../../examples/shop/app.ts'
import { readSettings, type Data as ShopData } from '../../examples/shop/settings.ts'
import { createSessionManager, type SessionManager } from 'holdfast'
import { issueSession, readSession } from 'holdfast/testing'
import { cookieHeaderOf, holdSession } from '../recipes/testing/browser.ts'
import { createShop as createApp, type Data } from '../recipes/testing/shop.ts'
import { startExample, type ServerProcess } from '../support/process.ts'
import { useVisitor } from './chromium.ts'
import { useStores } from './shop.ts'

const visitor = useVisitor()
const server = serve({ fetch: createShop(readSettings({})).fetch, hostname: '127.0.0.1', port: 0 })
let url: string
beforeAll(async () => {
  if (!server.listening) await once(server, 'listening')
  url = `http://localhost:${(server.address() as AddressInfo).port}`
})
afterAll(() => void server.close())

describe("the shop's pages", () => {
  beforeEach(async () => {
    await visitor.page.setViewportSize({ width: 1280, height: 900 })
  })

  it.each([
    ['the goods, to a stranger', async () => {}, '/', 'Good day, stranger.'],
    ['the goods, with a notice', () => post('/sign-in', 'name=Ada'), '/', 'Good day, Ada.'],
    ['a cart', () => post('/cart/cleat/add'), '/cart', 'Your cart'],
    ['the devices, to a stranger', async () => {}, '/devices', 'Your devices'],
    ['the devices', signInTwice, '/devices', 'Your devices'],
    ['about', async () => {}, '/about', 'Why two stores'],
    ['an error', async () => {}, '/kraken', 'Off the chart'],
  ])(
    '%s: axe finds nothing, light or dark, and nothing is cut off on a phone',
    async (_, before, path, heading) => {
      await visitor.page.goto(`${url}/about`)
      await before()
      await expectGood(url + path, heading)
    },
  )

  it('can be used with the keyboard alone, in the order in which they are read', async () => {
    const { page } = visitor
    await page.goto(url)
    const names: (string | undefined)[] = []
    for (let tabs = 0; tabs < 16; tabs++) {
      await page.keyboard.press('Tab')
      const { name, outline, isInView } = await page.evaluate(describeFocus)
      names.push(name)
      expect([name, outline, isInView]).toEqual([name, 'solid 3px', true])
    }
    expect(names).toEqual([
      'Skip to the content',
      'Holdfast ship chandlers',
      'Goods',
      'Cart',
      'Devices',
      'About',
      'Your name',
      'Keep me signed in for 30 days',
      'Sign in',
      'Add to cart: Manila hawser',
      'Add to cart: Bronze cleat',
      'Add to cart: Kedge anchor',
      'Add to cart: Snatch block',
      'Add to cart: Anchor light',
      'Add to cart: Marlinspike',
      'Flush the object cache',
    ])

    await page.goto(url)
    for (const key of ['Tab', 'Enter', 'Tab', 'A', 'd', 'a', 'Tab', 'Space', 'Tab'])
      await page.keyboard.press(key)
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')])
    expect(await page.getByRole('status').innerText()).toBe('You are signed in.')
    const [cookie] = await visitor.context.cookies()
    expect(cookie?.expires).toBeGreaterThan(0)
  })

  it('need nothing but themselves: no script, no font, no picture from elsewhere', async () => {
    const { page } = visitor
    const requested: string[] = []
    page.on('request', (request) => requested.push(request.url()))
    for (const path of ['/', '/cart', '/devices', '/about']) await page.goto(url + path)
    expect(requested.filter((each) => !each.startsWith('data:'))).toEqual([
      `${url}/`,
      `${url}/cart`,
      `${url}/devices`,
      `${url}/about`,
    ])
    expect(await page.locator('script').count()).toBe(0)
  })
})

describe("Koa's page next door", () => {
  const stores = useStores()
  let koa: ServerProcess
  let manager: SessionManager<ShopData>
  beforeAll(async () => {
    const env = {
      SESSION_STORE: stores.sessions.address,
      SESSION_SECRET: 'a secret of the browser tests, and of nobody else',
    }
    koa = await startExample('Node', 'examples/node/koa.ts', env)
    manager = readSettings(env).manager
  })
  afterAll(() => Promise.all([koa?.stop(), manager?.close()]))

  it.each([
    ['to a stranger', undefined, 'Good day, stranger.'],
    ['with a cart and a notice', 'Ada', 'Good day, Ada.'],
  ])('%s: axe finds nothing, light or dark, and nothing is cut off on a phone', async (_, user, heading) => {
    const data = { cart: { cleat: 2, hawser: 1 }, notice: 'You are signed in.' }
    if (user) await holdSession(visitor.context, await issueSession(manager, data, { user }))
    await expectGood(`${koa.url}/`, heading)
    expect(await visitor.page.getByRole('listitem').count()).toBe(user ? 2 : 0)
  })
})

/** By the longest name, here and elsewhere. */
describe('docs/testing.md in Chromium', () => {
  it('holds a session that the test began, and tells which one it holds', async () => {
    const manager = createSessionManager<Data>()
    const { url } = await serveShop(manager)
    const { page, context } = visitor
    await holdSession(context, await issueSession(manager, { cart: ['rope'] }, { user: 'u1' }))
    await page.goto(url)
    expect(await page.innerText('body')).toBe('Hello, u1')
    expect((await context.request.post(`${url}/cart/cleat`)).status()).toBe(204)
    expect(await readSession(manager, await cookieHeaderOf(context))).toEqual({ cart: ['rope', 'cleat'] })
  })

  it('takes a Secure cookie of http://localhost, and of no other name over http', async () => {
    const { port } = await serveShop(createSessionManager<Data>())
    const greetings = async (host: string) => {
      await visitor.page.goto(`http://${host}:${port}`)
      await visitor.page.evaluate(() => fetch('/login', { method: 'POST' }).then(({ status }) => status))
      await visitor.page.reload()
      return visitor.page.innerText('body')
    }
    expect(await greetings('localhost')).toBe('Hello, u1')
    expect(await greetings('shop.test')).toBe('Hello, stranger')
  })

  it('says that an http address cannot be given a Secure cookie', async () => {
    const cookie = { name: '__Host-session', value: 'A'.repeat(43), url: 'http://localhost' }
    await expect(visitor.context.addCookies([cookie])).rejects.toThrow('Invalid cookie fields')
  })

  async function serveShop(manager: SessionManager<Data>) {
    const server = serve({ fetch: createApp(manager).fetch, hostname: '127.0.0.1', port: 0 })
    onTestFinished(() => void server.close())
    if (!server.listening) await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return { url: `http://localhost:${port}`, port }
  }
})

/** What axe finds, and what it cannot. */
async function expectGood(address: string, heading: string): Promise<void> {
  const { page } = visitor
  await page.goto(address)
  expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe(heading)
  for (const width of [320, 360, 390, 1280]) {
    await page.setViewportSize({ width, height: 900 })
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
  }
  // Text may lie on a line of the chart anywhere, which axe cannot see: as if the header were one line all over.
  await page.addStyleTag({ content: '.depths { display: none } header { background: var(--line) }' })
  await page.evaluate(axe.source)
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    expect(await page.evaluate(findFaults), colorScheme).toEqual([])
  }
}

async function signInTwice(): Promise<void> {
  const fields = `name=${'W'.repeat(40)}`
  const body = new URLSearchParams(fields)
  await fetch(`${url}/sign-in`, { method: 'POST', body, headers: { Origin: url }, redirect: 'manual' })
  await post('/sign-in', fields)
}

async function post(path: string, fields = ''): Promise<void> {
  await visitor.page.evaluate(
    async ({ path, fields }) => {
      await fetch(path, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' })
    },
    { path, fields },
  )
}

// In the page.

/** What is wrong, and what axe cannot tell. */
async function findFaults(): Promise<string[]> {
  const { axe } = globalThis as unknown as { axe: typeof import('axe-core') }
  const { violations, incomplete } = await axe.run()
  return [...violations, ...incomplete].flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
  )
}

function describeFocus() {
  const focused = document.activeElement as HTMLElement & { labels?: NodeListOf<HTMLElement> }
  const { outlineStyle, outlineWidth } = getComputedStyle(focused)
  const { top, bottom } = focused.getBoundingClientRect()
  const label = focused.getAttribute('aria-label') ?? focused.labels?.[0]?.innerText ?? ''
  return {
    name: (label || focused.innerText).replaceAll(/\s+/g, ' ').trim(),
    outline: `${outlineStyle} ${outlineWidth}`,
    isInView: top >= 0 && bottom <= innerHeight,
  }
}
