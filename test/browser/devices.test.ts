import { afterEach, describe, expect, it } from 'vitest'
import { useVisitor, type Visitor } from './chromium.ts'
import { addToCart, cartOf, greeting, press, signIn, useShop, useStores } from './shop.ts'

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const PHONE =
  'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36'
const ENDED = 'You were signed out from another of your devices.'

const desk = useVisitor({ userAgent: FIREFOX })
const phone = useVisitor({ userAgent: PHONE })
const shop = useShop('Node', useStores())
afterEach(() => phone.page.setViewportSize({ width: 1280, height: 720 }))

describe('the devices of a user in two Chromiums', () => {
  it('are listed in each, by their labels and times; one ends the other, which is told', async () => {
    const before = Date.now()
    await signInOnBoth('Ada')
    for (const [visitor, here, there] of [
      [desk, 'Firefox on Linux', 'Chrome on Android'],
      [phone, 'Chrome on Android', 'Firefox on Linux'],
    ] as const) {
      const { page } = visitor
      expect(await labels(visitor)).toEqual([`${here} this device`, there].toSorted())
      const item = page.getByRole('listitem').filter({ hasText: there })
      for (const time of await item.getByRole('time').all()) {
        const at = Date.parse((await time.getAttribute('datetime'))!)
        expect(at).toBeGreaterThanOrEqual(before)
        expect(at).toBeLessThanOrEqual(Date.now())
        // The same minute, in words.
        expect(Date.parse(await time.innerText())).toBe(Math.floor(at / 60_000) * 60_000)
      }
      expect(await item.getByRole('time').count()).toBe(2)
    }

    await press(desk.page, /^End: Chrome on Android, since \d+ \w+ \d{4}, \d\d:\d\d UTC$/)
    expect(await noticeOf(desk)).toBe('That device is signed out.')
    expect(await labels(desk)).toEqual(['Firefox on Linux this device'])
    await press(phone.page, 'Goods', 'link')
    expect(await greeting(phone.page)).toBe('Good day, stranger.')
    expect(await noticeOf(phone)).toBe(ENDED)

    await signIn(phone.page, shop.url, { name: 'Ada' })
    expect(await noticeOf(phone)).toBe('You are signed in.')
    await phone.page.reload()
    expect(await noticeOf(phone)).toBe('')
  })

  it('are signed out everywhere else, and here', async () => {
    await signInOnBoth('Bess')
    await press(phone.page, 'Sign out everywhere else')
    expect(await noticeOf(phone)).toBe('You are signed out everywhere else.')
    expect(await labels(phone)).toEqual(['Chrome on Android this device'])
    await desk.page.reload()
    expect(await noticeOf(desk)).toBe(ENDED)

    await press(phone.page, 'Sign out')
    expect(await noticeOf(phone)).toBe('You are signed out. Fair winds!')
    await signIn(desk.page, shop.url, { name: 'Bess' })
    await desk.page.goto(`${shop.url}devices`)
    expect(await labels(desk)).toEqual(['Firefox on Linux this device'])
  })

  it('are ended by Tab and Enter alone, at the width of a phone', async () => {
    await signInOnBoth('Cleo')
    const { page } = phone
    await page.setViewportSize({ width: 360, height: 740 })
    await page.reload()
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360)
    const focused: string[] = []
    while (!focused.at(-1)?.startsWith('End: Firefox on Linux') && focused.length < 12) {
      await page.keyboard.press('Tab')
      focused.push(await page.evaluate(() => document.activeElement!.ariaLabel ?? ''))
      const { outlineStyle } = await page.evaluate(() => ({ ...getComputedStyle(document.activeElement!) }))
      expect(outlineStyle).toBe('solid')
    }
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')])
    expect(await labels(phone)).toEqual(['Chrome on Android this device'])
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360)
    await desk.page.reload()
    expect(await noticeOf(desk)).toBe(ENDED)
  })

  it('are one after a double click on "Sign in", with the cart that was there before', async () => {
    const { page, context } = desk
    const sent: string[] = []
    page.on('request', (request) => sent.push(`${request.method()} ${new URL(request.url()).pathname}`))
    // The second click comes before the answer to the first, which Chromium then throws away, cookie and all.
    const network = await context.newCDPSession(page)
    const slow = { offline: false, latency: 500, downloadThroughput: -1, uploadThroughput: -1 }
    await page.goto(shop.url)
    await addToCart(page, 'Bronze cleat')
    await page.getByLabel('Your name').fill('Dora')
    await network.send('Network.emulateNetworkConditions', slow)
    await page.getByRole('button', { name: 'Sign in' }).dblclick({ delay: 100 })
    await page.getByRole('heading', { name: 'Good day, Dora.' }).waitFor()
    expect(sent.filter((each) => each === 'POST /sign-in')).toHaveLength(2)
    await network.detach()
    await page.goto(`${shop.url}devices`)
    expect(await labels(desk)).toEqual(['Firefox on Linux this device'])
    expect(await cartOf(page)).toBe('Cart 1')
  })
})

async function signInOnBoth(name: string): Promise<void> {
  for (const { page } of [desk, phone]) await signIn(page, shop.url, { name })
  for (const { page } of [desk, phone]) await page.goto(`${shop.url}devices`)
}

async function labels({ page }: Visitor): Promise<string[]> {
  return (await page.getByRole('main').getByRole('heading', { level: 2 }).allInnerTexts()).toSorted()
}

function noticeOf({ page }: Visitor): Promise<string> {
  return page.getByRole('status').innerText()
}
