import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { serve, type ServerType } from '@hono/node-server'
import type { Page } from 'playwright-core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createSessionManager, type SessionOptions } from 'holdfast'
import { createApp } from '../docs/timeouts/warning.ts'
import { useVisitor } from './chromium.ts'
import { press } from './shop.ts'

const HALF_AN_HOUR = 1_800

describe('the warning of docs/timeouts.md', () => {
  const visitor = useVisitor()
  let server: ServerType
  let url: string
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
  afterEach(() => {
    vi.useRealTimers()
    server.close()
  })

  /** A visitor who has signed in, in this many tabs. */
  async function signIn(tabs: number, options: SessionOptions = {}): Promise<Page[]> {
    const manager = createSessionManager({ idleTimeout: HALF_AN_HOUR, ...options })
    server = serve({ fetch: createApp(manager).fetch, hostname: '127.0.0.1', port: 0 })
    if (!server.listening) await once(server, 'listening')
    url = `http://localhost:${(server.address() as AddressInfo).port}/`
    const { context, page } = visitor
    await context.clock.install({ time: Date.now() })
    await page.goto(`${url}signed-out`)
    await press(page, 'Sign in')
    const pages = [page]
    while (pages.length < tabs) {
      const another = await context.newPage()
      await another.goto(url)
      pages.push(another)
    }
    return pages
  }

  /** In the browser and on the server. */
  async function pass(seconds: number): Promise<void> {
    vi.setSystemTime(Date.now() + seconds * 1000)
    await visitor.context.clock.fastForward(seconds * 1000)
  }

  const warning = (page: Page) => page.getByRole('alertdialog')

  it('C7: comes two minutes before the end; who stays in one tab takes it away in the other', async () => {
    const [one, other] = (await signIn(2)) as [Page, Page]
    await pass(HALF_AN_HOUR - 125)
    for (const tab of [one, other]) expect(await warning(tab).isVisible()).toBe(false)
    await pass(10)
    for (const tab of [one, other]) {
      await warning(tab).waitFor()
      expect(await warning(tab).innerText()).toMatch(/signed out in 11\d seconds/)
    }
    await one.getByRole('button', { name: 'Stay signed in' }).click()
    await warning(one).waitFor({ state: 'hidden' })
    await pass(2)
    await warning(other).waitFor({ state: 'hidden' })
    await pass(HALF_AN_HOUR - 130)
    expect(await warning(other).isVisible()).toBe(false)
    await pass(10)
    await warning(other).waitFor()
    await other.close()
  })

  it('C7: nobody there: the page is gone when the session is', async () => {
    const [page] = (await signIn(1)) as [Page]
    await pass(HALF_AN_HOUR - 60)
    await warning(page).waitFor()
    await pass(61)
    await page.waitForURL(`${url}signed-out`)
    await page.goto(url)
    expect(page.url()).toBe(`${url}signed-out`)
  })

  it('C7: where the absolute timeout ends it, staying does not help, and the warning stays', async () => {
    const [page] = (await signIn(1, { absoluteTimeout: 600 })) as [Page]
    await pass(500)
    await warning(page).waitFor()
    const stayed = page.waitForResponse(`${url}stay`)
    await page.getByRole('button', { name: 'Stay signed in' }).click()
    expect(await (await stayed).json()).toBeLessThanOrEqual(100)
    await pass(2)
    expect(await warning(page).isVisible()).toBe(true)
    await pass(100)
    await page.waitForURL(`${url}signed-out`)
  })
})
