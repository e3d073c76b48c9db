import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Browser, type Answer } from './support/browser.ts'
import { startMemcached, type Memcached } from './support/memcached.ts'
import { startExample, type Runtime, type ServerProcess } from './support/process.ts'

const SECRET = 'a secret of the examples, and of nobody else'
const SERVERS: Record<Runtime, string> = { Node: 'examples/node/server.ts', Bun: 'examples/bun/server.ts' }
const WEBKIT = (system: string) => `Mozilla/5.0 (${system}) AppleWebKit/537.36 (KHTML, like Gecko)`

describe.each(['Node', 'Bun'] as const)('the shop on %s', (runtime) => {
  describe.each([
    ['with no services', async (): Promise<Memcached[]> => []],
    ['over two memcacheds', () => Promise.all([startMemcached(), startMemcached()])],
  ])('%s', (_, startServices) => {
    let services: Memcached[]
    let shop: ServerProcess
    let browser: Browser

    beforeAll(async () => {
      services = await startServices()
      shop = await startExample(runtime, SERVERS[runtime], settings(...services))
    })
    afterAll(async () => {
      await shop?.stop()
      await stopAll(services)
    })
    beforeEach(() => {
      browser = new Browser()
    })

    it('says at the start where it is and what it keeps sessions in', () => {
      expect(shop.output()).toContain(`http://localhost:`)
      expect(shop.output()).toContain(services[0]?.address ?? 'MemoryStore')
      expect(shop.output().includes('SESSION_SECRET is unset')).toBe(services.length === 0)
    })

    it('keeps nothing about a visitor who only looks', async () => {
      const page = await browser.open(`${shop.url}/`)
      expect(page.status).toBe(200)
      expect(page.text).toContain('Good day, stranger.')
      expect(operations(page)).toBe(0)
      expect(page.headers.getSetCookie()).toEqual([])
    })

    it('signs in under a new token and counts the views', async () => {
      await browser.submit(`${shop.url}/cart/cleat/add`)
      const copy = browser.copy()
      const answer = await browser.send(`${shop.url}/sign-in`, { name: 'Ada' })
      expect(answer.status).toBe(303)
      expect(answer.headers.getSetCookie()).toEqual([
        expect.stringMatching(/^__Host-session=[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Lax$/),
      ])
      expect(answer.headers.get('Server-Timing')).toMatch(
        /^session;desc="store: get .*add .*replace; cookie: set; events: loaded, signed-in"$/,
      )
      const page = await browser.open(`${shop.url}/`)
      expect(page.text).toContain('Good day, Ada.')
      expect(page.text).toContain('2 times in this session')
      expect(page.text).toContain('Cart 1')
      expect((await browser.open(`${shop.url}/`)).text).toContain('3 times in this session')
      expect((await copy.open(`${shop.url}/cart`)).text).toContain('Nothing in it yet')
    })

    it('shows what a response cost: nothing, a read, a read and a write', async () => {
      await browser.submit(`${shop.url}/cart/cleat/add`)
      const about = await browser.open(`${shop.url}/about`)
      expect(operations(about)).toBe(0)
      expect(about.headers.getSetCookie()).toEqual([])
      expect(about.headers.get('Cache-Control')).toBeNull()

      const cart = await browser.open(`${shop.url}/cart`)
      expect(operations(cart)).toBe(1)
      expect(cart.text).toMatch(/get found [1-9]\d* bytes/)
      expect(cart.text).toContain('Written 0 bytes Cookie not set Events loaded')
      expect(cart.headers.get('Cache-Control')).toBe('no-store')

      const goods = await browser.open(`${shop.url}/`)
      expect(operations(goods)).toBe(2)
      expect(goods.text).toMatch(/get found [1-9]\d* bytes replace replaced [1-9]\d* bytes/)
      expect(goods.text).toContain('Events loaded, saved')

      // Who is signed in: one more, for the list of his devices.
      await signIn(browser, shop, 'Ada')
      expect(operations(await browser.open(`${shop.url}/cart`))).toBe(2)
      expect(operations(await browser.open(`${shop.url}/`))).toBe(3)
    })

    it('lists the devices of a user; ends one of them, and then all others, which are told', async () => {
      const [another, third, stranger] = [new Browser(), new Browser(), new Browser()]
      for (const each of [browser, another, third]) await signIn(each, shop, 'Grace')
      await signIn(stranger, shop, 'Eve')
      const devices = (each: Browser) => each.open(`${shop.url}/devices`)

      const page = await devices(browser)
      expect(page.headers.get('Cache-Control')).toBe('no-store')
      expect(page.text.match(/A browser on an unknown system/g)).toHaveLength(3)
      expect(page.text.match(/this device/g)).toHaveLength(1)
      const time = /<time datetime="[\d-]+T[\d:.]+Z">\d+ \w+ \d{4}, \d\d:\d\d UTC<\/time>/g
      expect(page.html.match(time)).toHaveLength(5)
      expect(endings(page)).toHaveLength(2)
      expect(endings(await devices(stranger))).toEqual([])

      // A page does not offer to end the device that it is shown on.
      const seenByThird = endings(await devices(third))
      const ofThird = endings(page).find((path) => !seenByThird.includes(path))
      for (const each of [stranger, new Browser()]) await each.submit(`${shop.url}${ofThird}`)
      expect((await devices(third)).text).toContain('signed in as Grace')

      const answer = await browser.send(`${shop.url}${ofThird}`)
      expect([answer.status, answer.headers.get('Location')]).toEqual([303, '/devices'])
      expect(answer.headers.get('Server-Timing')).toContain('events: loaded, revoked, saved')
      expect((await devices(browser)).text).toContain('That device is signed out.')
      const told = 'You were signed out from another of your devices.'
      for (const path of ['/', '/cart', '/devices']) {
        const ended = await third.open(`${shop.url}${path}`)
        expect(ended.text).toContain(told)
        expect(ended.text).toContain('Events ended (revoked)')
        expect(ended.text).not.toContain('Grace')
        expect(ended.headers.getSetCookie()).toEqual([])
      }

      const refused = await third.submit(`${shop.url}/cart/cleat/add`)
      expect(refused.text).toContain(told)
      expect(refused.text).toContain('Cart Devices')
      expect((await signIn(third, shop, 'Grace')).text).toContain('You are signed in.')

      const alone = await browser.submit(`${shop.url}/devices/end-others`)
      expect(alone.text).toContain('You are signed out everywhere else.')
      expect(endings(alone)).toEqual([])
      expect(alone.text).not.toContain('Sign out everywhere else')
      expect((await devices(another)).text).toContain(told)
      expect((await devices(stranger)).text).toContain('signed in as Eve')
    })

    it.each([
      ['Firefox on Linux', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
      ['Chrome on Android', `${WEBKIT('Linux; Android 10; K')} Chrome/140.0.0.0 Mobile Safari/537.36`],
      [
        'Edge on Windows',
        `${WEBKIT('Windows NT 10.0; Win64; x64')} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0`,
      ],
      ['Safari on macOS', `${WEBKIT('Macintosh; Intel Mac OS X 10_15_7')} Version/18.5 Safari/605.1.15`],
      [
        'Safari on iPhone',
        `${WEBKIT('iPhone; CPU iPhone OS 18_5 like Mac OS X')} Version/18.5 Mobile/15E148 Safari/604.1`,
      ],
    ])('knows %s by what it says of itself', async (label, userAgent) => {
      await browser.fetch(`${shop.url}/sign-in`, {
        method: 'POST',
        body: new URLSearchParams({ name: label }),
        headers: { Origin: shop.url, 'User-Agent': userAgent },
        redirect: 'manual',
      })
      expect((await browser.open(`${shop.url}/devices`)).html).toContain(`<h2>${label} <strong>`)
    })

    it('keeps a cart', async () => {
      await browser.submit(`${shop.url}/cart/cleat/add`)
      await browser.submit(`${shop.url}/cart/cleat/add`)
      await browser.submit(`${shop.url}/cart/kedge/add`)
      const cart = await browser.open(`${shop.url}/cart`)
      expect(cart.text).toMatch(/2 × Bronze cleat € 38 .* 1 × Kedge anchor € 120 .* Total € 158/)
      await browser.submit(`${shop.url}/cart/kedge/remove`)
      const smaller = await browser.submit(`${shop.url}/cart/cleat/remove`)
      expect(smaller.text).toContain('1 × Bronze cleat')
      expect(smaller.text).not.toContain('Kedge anchor')
      expect((await browser.send(`${shop.url}/cart/kraken/add`)).status).toBe(404)
    })

    it('counts what two tabs add at the same time', async () => {
      await browser.submit(`${shop.url}/cart/cleat/add`)
      const tabs = Array.from({ length: 8 }, () => browser.send(`${shop.url}/cart/hawser/add`))
      expect((await Promise.all(tabs)).map(({ status }) => status)).toEqual(Array(8).fill(303))
      expect((await browser.open(`${shop.url}/cart`)).text).toContain('8 × Manila hawser')
    })

    it('shows a flash message once', async () => {
      const page = await signIn(browser, shop, 'Ada')
      expect(page.text).toContain('You are signed in.')
      expect((await browser.open(`${shop.url}/`)).text).not.toContain('You are signed in.')
    })

    it('keeps the sign-in when the object cache is flushed', async () => {
      await signIn(browser, shop, 'Ada')
      expect((await browser.open(`${shop.url}/`)).text).toContain('From the object cache')
      const page = await browser.submit(`${shop.url}/flush`)
      expect(page.status).toBe(200)
      expect(page.text).toContain('Worked out, and put into the object cache')
      expect(page.text).toContain('Good day, Ada.')
      expect((await browser.open(`${shop.url}/`)).text).toContain('From the object cache')
    })

    it('signs out, with a last word, and for copies of the cookie, too', async () => {
      await signIn(browser, shop, 'Ada')
      const copy = browser.copy()
      const page = await browser.submit(`${shop.url}/sign-out`)
      expect(page.text).toContain('You are signed out. Fair winds!')
      expect(page.text).toContain('Good day, stranger.')
      expect((await browser.open(`${shop.url}/`)).text).not.toContain('Fair winds!')
      expect((await copy.submit(`${shop.url}/cart/cleat/add`)).text).toContain('Cart Devices About')
    })

    it('keeps a visitor signed in for 30 days on request', async () => {
      const answer = await browser.send(`${shop.url}/sign-in`, { name: 'Ada', keep: 'yes' })
      expect(answer.headers.getSetCookie()[0]).toContain('; Max-Age=2592000')
      expect((await browser.open(`${shop.url}/`)).text).toContain('Good day, Ada.')
    })

    it('escapes a name, and asks for one', async () => {
      const page = await signIn(browser, shop, `<script>"Ada" & 'Bob'$&</script>`)
      expect(page.html).not.toContain('<script>')
      expect(page.text).toContain(`Good day, <script>"Ada" & 'Bob'$&</script>.`)
      const unnamed = await new Browser().submit(`${shop.url}/sign-in`, { name: ' ' })
      expect(unnamed.text).toContain('Please give a name')
      expect(unnamed.text).toContain('Good day, stranger.')
    })

    it('refuses a form of another site', async () => {
      await signIn(browser, shop, 'Ada')
      const forged = {
        method: 'POST',
        body: new URLSearchParams(),
        headers: { Origin: 'http://localhost:1' },
      }
      expect((await browser.fetch(`${shop.url}/sign-out`, forged)).status).toBe(403)
      expect((await browser.open(`${shop.url}/`)).text).toContain('Good day, Ada.')
    })
  })

  describe('when a memcached loses everything or goes away', () => {
    let sessions: Memcached
    let objects: Memcached
    let shop: ServerProcess
    let browser: Browser

    beforeEach(async () => {
      ;[sessions, objects] = await Promise.all([startMemcached(), startMemcached()])
      shop = await startExample(runtime, SERVERS[runtime], settings(sessions, objects))
      browser = new Browser()
      await signIn(browser, shop, 'Ada')
    })
    afterEach(async () => {
      await shop?.stop()
      await stopAll([sessions, objects])
    })

    it('forgets no session with the object cache', async () => {
      expect(await objects.text('flush_all')).toContain('OK')
      const page = await browser.open(`${shop.url}/`)
      expect(page.text).toContain('Worked out')
      expect(page.text).toContain('Good day, Ada.')
      await objects.stop()
      expect((await browser.open(`${shop.url}/`)).text).toContain('Good day, Ada.')
    })

    it('signs out, with no error, when its own memcached is flushed', async () => {
      expect(await sessions.text('flush_all')).toContain('OK')
      const page = await browser.open(`${shop.url}/`)
      expect(page.status).toBe(200)
      expect(page.text).toContain('Good day, stranger.')
      expect(page.text).toContain('get missing')
      expect(page.headers.getSetCookie()).toEqual([])
      expect((await signIn(browser, shop, 'Ada')).text).toContain('Good day, Ada.')
    })

    it('says until when a session lives, and why a visitor is a stranger now', async () => {
      const page = await browser.open(`${shop.url}/`)
      const [, until] = /<p class="until">[^]*?datetime="([^"]+)"/.exec(page.html) ?? []
      expect(Math.abs(Date.parse(until!) - (Date.now() + 86_400_000))).toBeLessThan(5000)

      // Memcached counts whole seconds: of one that ran for less than three nobody could tell.
      await sleep(3100)
      await sessions.stop()
      sessions = await startMemcached({ port: sessions.port })
      const later = await browser.open(`${shop.url}/cart`)
      expect(later.text).toContain('Events unknown')
      expect(later.html).not.toContain('class="until"')
      await expect
        .poll(async () => (await browser.open(`${shop.url}/cart`)).text)
        .toMatch(/127\.0\.0\.1:\d+ was restarted, and began empty/)
    })

    it('answers 503 while its own memcached is down, and then goes on', async () => {
      await sessions.stop()
      const page = await browser.open(`${shop.url}/`)
      expect(page.status).toBe(503)
      expect(page.text).toContain('The sessions are out of reach')
      expect(page.text).toContain('get no answer')
      expect(page.headers.get('Retry-After')).toBe('1')
      expect(page.headers.get('Cache-Control')).toBe('no-store')
      expect(page.headers.getSetCookie()).toEqual([])

      const signOut = await browser.send(`${shop.url}/sign-out`)
      expect(signOut.status).toBe(503)
      expect(signOut.headers.getSetCookie()).toEqual([])

      const about = await browser.open(`${shop.url}/about`)
      expect(about.status).toBe(200)
      expect(operations(about)).toBe(0)

      sessions = await startMemcached({ port: sessions.port })
      const later = await browser.open(`${shop.url}/`)
      expect(later.status).toBe(200)
      expect(later.text).toContain('Good day, stranger.')
    })
  })
})

describe('the shop whose sessions live in the object cache', () => {
  it('signs everybody out with the flush: the complaint that this library answers', async () => {
    const shared = await startMemcached()
    const shop = await startExample('Node', SERVERS.Node, settings(shared, shared))
    try {
      const browser = new Browser()
      await signIn(browser, shop, 'Ada')
      const page = await browser.submit(`${shop.url}/flush`)
      expect(page.status).toBe(200)
      expect(page.text).toContain('Good day, stranger.')
    } finally {
      await shop.stop()
      await shared.stop()
    }
  })
})

describe.each(['Node', 'Bun'] as const)('Koa beside the shop on %s', (runtime) => {
  let services: Memcached[]
  let shop: ServerProcess
  let koa: ServerProcess

  beforeAll(async () => {
    services = await Promise.all([startMemcached(), startMemcached()])
    shop = await startExample(runtime, SERVERS[runtime], settings(...services))
    koa = await startExample('Node', 'examples/node/koa.ts', settings(...services))
  })
  afterAll(async () => {
    await shop?.stop()
    await koa?.stop()
    await stopAll(services)
  })

  it('shares its sign-ins, its cart and its sign-outs', async () => {
    const browser = new Browser()
    expect((await browser.open(`${koa.url}/`)).text).toContain('Good day, stranger.')
    await signIn(browser, shop, 'Ada')
    const page = await browser.open(`${koa.url}/`)
    expect(page.text).toContain('Good day, Ada.')
    expect(page.headers.get('Cache-Control')).toBe('no-store')

    expect((await browser.submit(`${koa.url}/cart/cleat/add`)).text).toContain('1 × Bronze cleat')
    expect((await browser.open(`${shop.url}/cart`)).text).toContain('1 × Bronze cleat')

    await browser.submit(`${koa.url}/sign-out`)
    expect(await browser.cookies(shop.url)).toEqual([])
    expect((await browser.open(`${shop.url}/`)).text).toContain('Good day, stranger.')
  })

  it('ends the session at Koa for a copy of its cookie, too', async () => {
    const browser = new Browser()
    await signIn(browser, shop, 'Ada')
    const copy = browser.copy()
    await browser.submit(`${koa.url}/sign-out`)
    expect((await copy.open(`${shop.url}/`)).text).toContain('Good day, stranger.')
  })

  it('refuses a form of another site', async () => {
    const browser = new Browser()
    await signIn(browser, shop, 'Ada')
    const forged = { method: 'POST', headers: { Origin: shop.url } }
    expect((await browser.fetch(`${koa.url}/sign-out`, forged)).status).toBe(403)
    expect((await browser.open(`${koa.url}/`)).text).toContain('Good day, Ada.')
  })
})

function settings(sessions?: Memcached, objects?: Memcached): Record<string, string> {
  if (!sessions || !objects) return {}
  return { SESSION_STORE: sessions.address, CACHE_STORE: objects.address, SESSION_SECRET: SECRET }
}

async function stopAll(services: Memcached[] | undefined): Promise<void> {
  await Promise.all((services ?? []).map((service) => service.stop()))
}

function signIn(browser: Browser, shop: ServerProcess, name: string): Promise<Answer> {
  return browser.submit(`${shop.url}/sign-in`, { name })
}

/** Where the page's buttons to end a device lead to. */
function endings({ html }: Answer): (string | undefined)[] {
  return [...html.matchAll(/"(\/devices\/[\w-]+\/end)"/g)].map(([, path]) => path)
}

function operations({ text }: Answer): number {
  return Number(/for this response (\d+) store operation/.exec(text)?.[1])
}
