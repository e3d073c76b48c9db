import { describe, expect, it } from 'vitest'
import { useVisitor } from './chromium.ts'
import { addToCart, cartOf, greeting, press, signIn, useShop, useStores } from './shop.ts'

const visitor = useVisitor()
const stores = useStores()

describe('the shop in Chromium', () => {
  const shop = useShop('Node', stores)

  it('signs in with a cookie that Chromium keeps as it was meant, and that no script sees', async () => {
    const { page, context } = visitor
    await signIn(page, shop.url)
    expect(await context.cookies()).toEqual([
      {
        name: '__Host-session',
        value: expect.stringMatching(/^[\w-]{43}$/),
        // With a leading dot it would be for subdomains, too.
        domain: 'localhost',
        path: '/',
        expires: -1,
        httpOnly: true,
        secure: true,
        sameSite: 'Lax',
      },
    ])
    expect(await page.evaluate(() => document.cookie)).toBe('')
  })

  it('keeps a cart, and says so once: after the redirect, but not after a reload', async () => {
    const { page } = visitor
    await page.goto(shop.url)
    await addToCart(page, 'Bronze cleat')
    const notice = page.getByRole('status')
    expect(await notice.innerText()).toBe('Bronze cleat: added to your cart.')
    expect(await page.title()).toBe('Bronze cleat: added to your cart. · Goods · Holdfast')
    await page.reload()
    expect(await notice.innerText()).toBe('')
    expect(await page.title()).toBe('Goods · Holdfast')
    expect(await cartOf(page)).toBe('Cart 1')
  })

  it('loses nothing that two tabs write at once', async () => {
    const { page, context } = visitor
    await signIn(page, shop.url)
    const another = await context.newPage()
    await another.goto(shop.url)
    await Promise.all([page, another].map((tab) => addToCart(tab, 'Kedge anchor')))
    const post = (url: string) =>
      Promise.all(Array.from({ length: 10 }, async () => (await fetch(url, { method: 'POST' })).status))
    const answers = await Promise.all([
      page.evaluate(post, '/cart/hawser/add'),
      another.evaluate(post, '/cart/cleat/add'),
    ])
    expect(answers).toEqual([Array(10).fill(200), Array(10).fill(200)])
    await another.close()
    await page.goto(`${shop.url}cart`)
    const lines = await page.locator('.lines li').allInnerTexts()
    expect(lines.map((line) => /^\d+ × [\w ]+/.exec(line.replace(/\s+/g, ' '))?.[0]).toSorted()).toEqual([
      '10 × Bronze cleat ',
      '10 × Manila hawser ',
      '2 × Kedge anchor ',
    ])
  })

  it('keeps the visitor signed in when the object cache is flushed', async () => {
    const { page } = visitor
    await signIn(page, shop.url)
    await press(page, 'Flush the object cache')
    expect(await page.locator('main').innerText()).toContain('Worked out, and put into the object cache')
    expect(await greeting(page)).toBe('Good day, Ada.')
  })

  it('takes the visitor for a stranger, with no error, when its sessions are flushed', async () => {
    const { page } = visitor
    await signIn(page, shop.url)
    await stores.sessions.text('flush_all')
    const response = await page.reload()
    expect(response?.status()).toBe(200)
    expect(await greeting(page)).toBe('Good day, stranger.')
    await signIn(page, shop.url)
    expect(await greeting(page)).toBe('Good day, Ada.')
  })

  it('shows no page of the signed-in visitor after the sign-out, be it by the back button', async () => {
    const { page } = visitor
    await signIn(page, shop.url)
    await press(page, 'Cart', 'link')
    expect(await greeting(page)).toBe('Ada’s cart')
    await page.goto(shop.url)
    await press(page, 'Sign out')
    expect(await page.getByRole('status').innerText()).toBe('You are signed out. Fair winds!')
    expect(await greeting(page)).toBe('Good day, stranger.')
    for (const heading of ['Good day, stranger.', 'Your cart']) {
      await page.goBack({ waitUntil: 'commit' })
      expect(await greeting(page)).toBe(heading)
    }
  })

  it('forgets the visitor when the browser closes, unless asked to keep the sign-in', async () => {
    // Another name for the same shop, with a cookie of its own.
    const keeping = shop.url.replace('localhost', 'keeping.localhost')
    await signIn(visitor.page, shop.url)
    await signIn(visitor.page, keeping, { keep: true })
    await visitor.restart()

    const { page, context } = visitor
    await page.goto(shop.url)
    expect(await greeting(page)).toBe('Good day, stranger.')
    await page.goto(keeping)
    expect(await greeting(page)).toBe('Good day, Ada.')
    const cookies = await context.cookies()
    expect(cookies).toMatchObject([{ name: '__Host-session', domain: 'keeping.localhost' }])
    const days = (cookies[0]!.expires - Date.now() / 1000) / 86_400
    expect(days).toBeGreaterThan(29.9)
    expect(days).toBeLessThanOrEqual(30)
  }, 30_000)
})

describe('the shop on Bun in Chromium', () => {
  const shop = useShop('Bun', stores)

  it('signs in, keeps a cart, and signs out', async () => {
    const { page } = visitor
    await signIn(page, shop.url)
    expect(await greeting(page)).toBe('Good day, Ada.')
    await addToCart(page, 'Anchor light')
    expect(await cartOf(page)).toBe('Cart 1')
    await press(page, 'Sign out')
    expect(await greeting(page)).toBe('Good day, stranger.')
    await page.goBack({ waitUntil: 'commit' })
    expect(await greeting(page)).toBe('Good day, stranger.')
  })
})
