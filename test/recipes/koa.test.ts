import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Koa from 'koa'
import { afterEach, describe, expect, it } from 'vitest'
import { createSessionManager, MemoryStore } from 'holdfast'
import { session, type SessionContext } from 'holdfast/koa'
import { issueSession, readSession } from 'holdfast/testing'
import { listen } from '../support/recipes.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'
import { app as shop } from './koa/app.ts'
import { createShop } from './koa/errors.ts'
import { app as mounted } from './koa/mounted.ts'
import { startShop } from './koa/vite.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

/** Visits as a browser does, which keeps cookies. */
async function browse(listener: RequestListener) {
  const url = await listen(listener)
  const cookies = new Map<string, string>()
  return async (path: string, method = 'GET', cookie = [...cookies.values()].join('; ')) => {
    const response = await fetch(url + path, { method, redirect: 'manual', headers: { cookie } })
    for (const each of response.headers.getSetCookie()) {
      const [pair = ''] = each.split(';')
      cookies.set(pair.split('=')[0]!, pair)
    }
    return response
  }
}

describe('A router in a file of its own', () => {
  it('has the session of the app that uses it', async () => {
    const visit = await browse(shop.callback())
    await visit('/cart/rope', 'POST')
    await visit('/cart/hook', 'POST')
    expect(await (await visit('/cart')).json()).toEqual(['rope', 'hook'])
    expect((await visit('/cart', 'PUT')).status).toBe(405)
  })
})

describe('A mounted app', () => {
  it('D5: has the session of the app around it, and one of its own beside it', async () => {
    const visit = await browse(mounted.callback())
    await visit('/favicon.ico')
    await visit('/', 'POST')
    expect(await (await visit('/admin/')).json()).toEqual({ role: 'none', cart: ['rope'] })
    const login = await visit('/admin/login', 'POST')
    expect(login.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-admin=/)])
    expect(await (await visit('/admin/')).json()).toEqual({ role: 'editor', cart: ['rope'] })
  })
})

describe('An error middleware', () => {
  it('D3: inside of the session, counts attempts by what it answers, and leaves the rest to Koa: the 503 of a store that fails, the 500 of a mistake', async () => {
    const store = new TamperedStore(new MemoryStore())
    const manager = createSessionManager<{ attempts: number }>({ store, secret, onEvent: () => {} })
    const app = createShop(manager)
    app.silent = true
    app.use(() => {
      throw new Error('a mistake')
    })
    const visit = await browse(app.callback())
    expect((await visit('/login')).status).toBe(500) // past it, to the mistake
    const first = await visit('/login', 'POST')
    expect([first.status, await first.text()]).toEqual([401, 'wrong password'])
    expect((await visit('/login', 'POST')).status).toBe(401)
    expect(await readSession(manager, first)).toEqual({ attempts: 2 })
    for (const operation of ['get', 'replace'] as const) {
      store.before = failing(operation, 9)
      const failed = await visit('/login', 'POST')
      expect([failed.status, failed.headers.get('Retry-After')]).toEqual([503, '1'])
      store.forget()
    }
    expect((await visit('/elsewhere')).status).toBe(500)
  })

  it('which answers everything with 500 hides that the store failed', async () => {
    const store = new TamperedStore(new MemoryStore())
    const manager = createSessionManager<{ attempts: number }>({ store, secret, onEvent: () => {} })
    const hasty = new Koa<object, SessionContext<{ attempts: number }>>().use(session(manager))
    hasty.use((ctx, next) => next().catch(() => void (ctx.status = 500)))
    hasty.use(async (ctx) => void (ctx.body = await ctx.session.get('attempts')))
    const visit = await browse(hasty.callback())
    const cookie = await issueSession(manager, { attempts: 1 })
    expect((await visit('/', 'GET', cookie)).status).toBe(200)
    store.before = failing('get')
    expect((await visit('/', 'GET', cookie)).status).toBe(500)
  })
})

describe('Koa with ctx.respond = false, behind holdfast/node', () => {
  it('D10: what vite answers carries the cookie, and the session is saved before', async () => {
    const root = mkdtempSync(join(tmpdir(), 'holdfast-vite-'))
    writeFileSync(join(root, 'index.html'), '<title>the shop</title>')
    writeFileSync(join(root, 'cart.js'), 'export const cart = []')
    ends.push(() => rmSync(root, { recursive: true }))
    const { server, vite } = await startShop(root)
    ends.push(() => vite.close())
    const url = await listen(server)
    const page = await fetch(url)
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('the shop')])
    const cookie = page.headers.getSetCookie()[0]!.split(';')[0]!
    const script = await fetch(`${url}/cart.js`, { headers: { cookie } })
    expect(await script.text()).toContain('export const cart')
    expect(script.headers.getSetCookie()).toEqual([])
    const views = await fetch(`${url}/views`, { headers: { cookie } })
    expect(await views.text()).toBe('view 3')
  })
})
