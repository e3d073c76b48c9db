import type { Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { startMemcached, type Memcached } from '../support/memcached.ts'
import { startExample, type Runtime, type ServerProcess } from '../support/process.ts'

const SERVERS: Record<Runtime, string> = { Node: 'examples/node/server.ts', Bun: 'examples/bun/server.ts' }
const SECRET = 'a secret of the browser tests, and of nobody else'

/** Two memcacheds for the tests of a file: of the sessions, and of the cached objects. */
export function useStores(): { sessions: Memcached; objects: Memcached } {
  const stores = {} as { sessions: Memcached; objects: Memcached }
  beforeAll(async () => {
    ;[stores.sessions, stores.objects] = await Promise.all([startMemcached(), startMemcached()])
  })
  afterAll(() => Promise.all([stores.sessions?.stop(), stores.objects?.stop()]))
  return stores
}

/** The example, over the two memcacheds. */
export function useShop(runtime: Runtime, stores: ReturnType<typeof useStores>): { readonly url: string } {
  let shop: ServerProcess
  beforeAll(async () => {
    shop = await startExample(runtime, SERVERS[runtime], {
      SESSION_STORE: stores.sessions.address,
      CACHE_STORE: stores.objects.address,
      SESSION_SECRET: SECRET,
    })
  })
  afterAll(() => shop?.stop())
  return {
    get url() {
      return `${shop.url}/`
    },
  }
}

export async function signIn(page: Page, url: string, { name = 'Ada', keep = false } = {}): Promise<void> {
  await page.goto(url)
  await page.getByLabel('Your name').fill(name)
  if (keep) await page.getByLabel('Keep me signed in').check()
  await press(page, 'Sign in')
}

export async function addToCart(page: Page, good: string): Promise<void> {
  await press(page, `Add to cart: ${good}`)
}

/** Until the page that answers is there. */
export async function press(
  page: Page,
  name: string | RegExp,
  role: 'button' | 'link' = 'button',
): Promise<void> {
  await Promise.all([page.waitForEvent('load'), page.getByRole(role, { name }).click()])
}

export function greeting(page: Page): Promise<string> {
  return page.getByRole('heading', { level: 1 }).innerText()
}

export function cartOf(page: Page): Promise<string> {
  return page.getByRole('link', { name: /^Cart/ }).innerText()
}
