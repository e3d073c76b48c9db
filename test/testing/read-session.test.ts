import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { createSessionManager, MemoryStore, StoreUnavailableError } from 'holdfast'
import { session } from 'holdfast/hono'
import { issueSession, readSession, type HeldBy } from 'holdfast/testing'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'

type Data = { cart: string[]; theme: string }

function start(options: { idleTimeout?: number; cookie?: { name: string } } = {}) {
  let now = Date.now()
  const store = new TamperedStore(new MemoryStore({ now: () => now }))
  const manager = createSessionManager<Data>({ store, secret, now: () => now, ...options })
  const app = new Hono().use(session(manager))
  app.post('/sign-in', (c) => {
    c.var.session.signIn('u1')
    c.header('Set-Cookie', 'theme=dark; Path=/', { append: true })
    return c.body(null, 204)
  })
  app.post('/cart', async (c) => {
    await c.var.session.update('cart', (cart = []) => [...cart, 'rope'])
    return c.body(null, 204)
  })
  app.post('/sign-out', (c) => {
    c.var.session.destroy()
    return c.body(null, 204)
  })
  const post = async (path: string, cookie = '') => app.request(path, { method: 'POST', headers: { cookie } })
  return { manager, store, post, pass: (seconds: number) => (now += seconds * 1000) }
}

const LEAVES_IT =
  'response: expected one that sets __Host-session, got one that leaves it as it was; hand in the Cookie header of its request'

describe('readSession', () => {
  it('gives the data of the session that a response begins', async () => {
    const { manager, post } = start()
    expect(await readSession(manager, await post('/cart'))).toEqual({ cart: ['rope'] })
    expect(await readSession(manager, await post('/sign-in'))).toEqual({})
    const cookie = await issueSession(manager, { theme: 'dark' })
    expect(await readSession(manager, await post('/sign-in', cookie))).toEqual({ theme: 'dark' })
    expect(await readSession(manager, cookie)).toBeUndefined()
  })

  it('takes the Cookie header of a request', async () => {
    const { manager, post } = start()
    const cookie = await issueSession(manager, { theme: 'dark' })
    await post('/cart', cookie)
    expect(await readSession(manager, `theme=light; ${cookie}`)).toEqual({ theme: 'dark', cart: ['rope'] })
    for (const none of ['', 'theme=light', `__Host-session=${'A'.repeat(43)}`]) {
      expect(await readSession(manager, none)).toBeUndefined()
    }
  })

  it("takes a response with Node's headers", async () => {
    const { manager, post } = start({ cookie: { name: '__Host-shop' } })
    const cookies = (await post('/cart')).headers.getSetCookie()
    const [cookie] = cookies
    for (const held of [{ headers: { 'set-cookie': cookies } }, { headers: { 'set-cookie': cookie } }]) {
      expect(await readSession(manager, held)).toEqual({ cart: ['rope'] })
    }
  })

  it('gives nothing once the response signed out, or the session ended', async () => {
    const { manager, post, pass } = start({ idleTimeout: 60 })
    const cookie = await issueSession(manager, { theme: 'dark' }, { user: 'u1' })
    expect(await readSession(manager, await post('/sign-out', cookie))).toBeUndefined()
    expect(await readSession(manager, cookie)).toBeUndefined()
    const revoked = await issueSession(manager, { theme: 'dark' }, { user: 'u1' })
    await manager.revokeAll('u1')
    expect(await readSession(manager, revoked)).toBeUndefined()
    const idle = await issueSession(manager, { theme: 'dark' })
    pass(61)
    expect(await readSession(manager, idle)).toBeUndefined()
  })

  it('is no use of the session: its time to live goes on, and so does when it was last seen', async () => {
    const { manager, store, pass } = start({ idleTimeout: 3_600 })
    const timeouts = { idle: 7_200 }
    const cookie = await issueSession(manager, { theme: 'dark' }, { user: 'u1', timeouts })
    const before = await manager.listSessions('u1')
    pass(3_599)
    store.forget()
    expect(await readSession(manager, cookie)).toEqual({ theme: 'dark' })
    expect(store.operations).toEqual(['get', 'get'])
    expect(store.ttls).toEqual([])
    expect(await manager.listSessions('u1')).toEqual(before)
    pass(3_601)
    expect(await readSession(manager, cookie)).toBeUndefined()
  })

  it('says of a response without the cookie where the session is to be found', async () => {
    const { manager, post } = start()
    const cookie = await issueSession(manager, { theme: 'dark' })
    const response = await post('/cart', cookie)
    await expect(readSession(manager, response)).rejects.toThrow(new TypeError(LEAVES_IT))
    await expect(readSession(manager, { headers: {} })).rejects.toThrow(new TypeError(LEAVES_IT))
    const other = { headers: { 'set-cookie': 'x__Host-session=1; Path=/' } }
    await expect(readSession(manager, other)).rejects.toThrow(new TypeError(LEAVES_IT))
  })

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [5, '5'],
    [{ status: 200 }, 'an object'],
    [Promise.resolve(new Response()), 'a promise; await it'],
  ])('refuses %o', async (wrong, got) => {
    const { manager } = start()
    await expect(readSession(manager, wrong as unknown as HeldBy)).rejects.toThrow(
      new TypeError(`response: expected a Response, one of supertest's, or a Cookie header, got ${got}`),
    )
  })

  it('rejects when the store cannot be asked', async () => {
    const { manager, store } = start()
    const cookie = await issueSession(manager, { theme: 'dark' })
    store.before = failing('get')
    await expect(readSession(manager, cookie)).rejects.toThrow(StoreUnavailableError)
  })
})
