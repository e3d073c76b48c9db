import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { createSessionManager, MemoryStore } from 'holdfast'
import { session } from 'holdfast/hono'
import { issueSession, readSession } from 'holdfast/testing'
import { Jar } from '../support/cookie-jar.ts'
import { secret } from '../support/stores.ts'
import { adminArea } from './two-managers/admin.ts'
import { admin, shop, type ShopEnv } from './two-managers/sessions.ts'
import { app as shopAndAdmin } from './two-managers/shop-and-admin.ts'

describe('A shop and its admin area', () => {
  it('D5: two sign-ins in one browser, which end one by one', async () => {
    const jar = new Jar()
    const visit = async (path: string, method = 'GET') =>
      jar.keep(await shopAndAdmin.request(path, { method, headers: jar.header() }))
    await visit('/cart', 'POST')
    expect(jar.names).toEqual(['__Host-session'])
    expect((await visit('/admin/')).status).toBe(401)
    await visit('/admin/login', 'POST')
    expect(jar.names).toEqual(['__Host-admin', '__Host-session'])
    expect(await (await visit('/admin/')).json()).toEqual({ role: 'editor', cart: ['rope'] })
    await visit('/logout', 'POST')
    expect(await (await visit('/admin/')).json()).toEqual({ role: 'editor', cart: [] })
    await visit('/cart', 'POST')
    await visit('/admin/logout', 'POST')
    expect(jar.names).toEqual(['__Host-session'])
    expect((await visit('/admin/')).status).toBe(401)
  })
})

describe('Two managers in files of their own', () => {
  const app = new Hono<ShopEnv>().use(session(shop)).route('/admin', adminArea)
  const ask = (path: string, cookie: string, method = 'GET') =>
    app.request(path, { method, headers: { cookie } })

  it('D5: serve one request, each by its cookie', async () => {
    const visitor = await issueSession(shop, { cart: ['rope'] })
    const editor = await issueSession(admin, { role: 'editor' }, { user: 'u1' })
    expect((await ask('/admin', visitor)).status).toBe(401)
    expect(await (await ask('/admin', `${visitor}; ${editor}`)).json()).toEqual({
      role: 'editor',
      cart: ['rope'],
    })
    const response = await ask('/admin/login', visitor, 'POST')
    expect(await readSession(admin, response)).toEqual({ role: 'editor' })
    expect(await readSession(shop, visitor)).toEqual({ cart: ['rope'] })
  })

  it('D5: share a store and a secret, and a token of one is nothing to the other', async () => {
    const storage = { store: new MemoryStore(), secret }
    const ours = createSessionManager(storage)
    const theirs = createSessionManager({ ...storage, cookie: { name: '__Host-admin' } })
    const [name, token] = (await issueSession(theirs, { role: 'editor' }, { user: 'u1' })).split('=')
    expect(await readSession(theirs, `${name}=${token}`)).toEqual({ role: 'editor' })
    expect(await readSession(ours, `__Host-session=${token}`)).toBeUndefined()
    await ours.revokeAll('u1')
    expect(await theirs.listSessions('u1')).toHaveLength(1)
  })
})
