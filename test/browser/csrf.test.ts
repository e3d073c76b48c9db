import type { Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSessionManager, type SessionManager, type SessionOptions } from '../../src/core/index.ts'
import { attackersPage, frameworks, serve, type Site } from './attacked-apps.ts'
import { useVisitor } from './chromium.ts'
import { getByImage, getByLink, postByFetch, postByForm, postJson } from './forgery.ts'

const visitor = useVisitor()
let attacker: Site
let attackersTab: Page
beforeAll(async () => {
  attacker = await serve(attackersPage)
  attackersTab = await visitor.context.newPage()
})
afterAll(() => attacker?.close())

describe.each(frameworks)('what a page of somebody else sends to $name', ({ shop }) => {
  describe('with the default cookie', () => {
    const { unchecked, checked, session } = useShop()

    it('another site: SameSite=Lax keeps all out but links; the check refuses more', async () => {
      await attackersTab.goto(attacker.at('evil.localhost'))
      expect(await postByForm(attackersTab, unchecked('/order'))).toBe(204)
      expect(await postByFetch(attackersTab, unchecked('/order'))).toBe(204)
      expect(await getByImage(attackersTab, unchecked('/order'))).toBe(204)
      expect(await session()).toEqual({ name: 'Ada' })
      expect(await postByFetch(attackersTab, checked('/order'))).toBe(403)
      expect(await getByLink(attackersTab, checked('/order'))).toBe(204)
      expect(await session()).toEqual({ name: 'Ada', orders: 1 })
      expect(await postByForm(attackersTab, checked('/order'))).toBe(403)
      expect(await session()).toEqual({ name: 'Ada', orders: 1 })
    })

    it.each([
      ['a sibling subdomain', 'blog.shop.localhost'],
      ['another port', 'shop.localhost'],
    ])('%s: SameSite lets all pass; the check refuses what is not GET', async (_, host) => {
      await attackersTab.goto(attacker.at(host))
      expect(await postByForm(attackersTab, unchecked('/order'))).toBe(204)
      expect(await session()).toEqual({ name: 'Ada', orders: 1 })
      expect(await postByFetch(attackersTab, unchecked('/order'))).toBe(204)
      expect(await session()).toEqual({ name: 'Ada', orders: 2 })
      expect(await postByFetch(attackersTab, checked('/order'))).toBe(403)
      expect(await session()).toEqual({ name: 'Ada', orders: 2 })
      expect(await getByImage(attackersTab, checked('/order'))).toBe(204)
      expect(await getByLink(attackersTab, checked('/order'))).toBe(204)
      expect(await session()).toEqual({ name: 'Ada', orders: 4 })
      // JSON is asked for first, and no CORS header allows it, whether there is a check or not.
      expect(await postJson(attackersTab, unchecked('/order'))).toBe('TypeError')
      expect(await session()).toEqual({ name: 'Ada', orders: 4 })
      expect(await postByForm(attackersTab, checked('/order'))).toBe(403)
      expect(await session()).toEqual({ name: 'Ada', orders: 4 })
    })

    it('a sign-in as somebody else needs no cookie to be sent: the check refuses it, SameSite does not', async () => {
      await attackersTab.goto(attacker.at('evil.localhost'))
      expect(await postByForm(attackersTab, checked('/sign-in?name=Mallory'))).toBe(403)
      expect(await session()).toEqual({ name: 'Ada' })
      await attackersTab.goto(attacker.at('evil.localhost'))
      expect(await postByForm(attackersTab, unchecked('/sign-in?name=Mallory'))).toBe(204)
      expect(await session()).toEqual({ name: 'Mallory' })
    })

    it('a cookie planted by a sibling subdomain is not kept under a name with __Host-', async () => {
      await visitor.context.clearCookies()
      await attackersTab.goto(attacker.at('blog.shop.localhost'))
      await attackersTab.evaluate(() => {
        for (const name of ['__Host-session', 'session']) {
          document.cookie = `${name}=planted; Path=/; Secure; Domain=shop.localhost`
        }
      })
      const cookies = await visitor.context.cookies(unchecked('/'))
      expect(cookies.map(({ name }) => name)).toEqual(['session'])
    })

    it("the shop's own forms and scripts pass", async () => {
      const [response] = await Promise.all([
        visitor.page.waitForResponse(checked('/order')),
        visitor.page.getByRole('button', { name: 'Order' }).click(),
      ])
      expect(response.status()).toBe(204)
      expect(await postByFetch(visitor.page, checked('/order'))).toBe(204)
      expect(await postJson(visitor.page, checked('/order'))).toBe('204')
      expect(await session()).toEqual({ name: 'Ada', orders: 3 })
    })
  })

  describe("with sameSite 'none'", () => {
    const { unchecked, checked, session } = useShop({ cookie: { sameSite: 'none' } })

    it('a form of another site passes without the check, and is refused with it', async () => {
      await attackersTab.goto(attacker.at('evil.localhost'))
      expect(await postByForm(attackersTab, unchecked('/order'))).toBe(204)
      expect(await session()).toEqual({ name: 'Ada', orders: 1 })
      expect(await postByForm(attackersTab, checked('/order'))).toBe(403)
      expect(await session()).toEqual({ name: 'Ada', orders: 1 })
    })
  })

  describe('over plain http, where Chromium sends no Sec-Fetch-Site', () => {
    const { unchecked, checked, session } = useShop({ cookie: { secure: false } }, 'shop.test')

    it('the Origin decides', async () => {
      await attackersTab.goto(attacker.at('blog.shop.test'))
      expect(await postByForm(attackersTab, unchecked('/order'))).toBe(204)
      expect(await session()).toEqual({ name: 'Ada', orders: 1 })
      expect(await postByFetch(attackersTab, checked('/order'))).toBe(403)
      expect(await postByForm(attackersTab, checked('/order'))).toBe(403)
      expect(await postByFetch(visitor.page, checked('/order'))).toBe(204)
      expect(await session()).toEqual({ name: 'Ada', orders: 2 })
    })
  })

  /** One shop behind two origins, one with the check and one without, and Ada signed in, in the visitor's tab. */
  function useShop(options: SessionOptions = {}, host = 'shop.localhost') {
    let manager: SessionManager
    let sites: { unchecked: Site; checked: Site }
    beforeAll(async () => {
      manager = createSessionManager(options)
      sites = { unchecked: await serve(shop(manager, false)), checked: await serve(shop(manager, true)) }
      await visitor.page.goto(sites.checked.at(host))
    })
    beforeEach(async () => {
      expect(await postByFetch(visitor.page, `${sites.checked.at(host)}/sign-in?name=Ada`)).toBe(204)
    })
    afterAll(() => Promise.all(Object.values(sites ?? {}).map((site) => site.close())))
    return {
      unchecked: (path: string) => sites.unchecked.at(host) + path,
      checked: (path: string) => sites.checked.at(host) + path,
      /** What the cookie that the browser holds now stands for. */
      async session() {
        const cookies = await visitor.context.cookies(sites.checked.at(host))
        return manager.open(cookies.map(({ name, value }) => `${name}=${value}`).join('; ')).entries()
      },
    }
  }
})
