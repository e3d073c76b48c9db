import { describe, expect, it } from 'vitest'
import { Jar } from '../support/cookie-jar.ts'
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
