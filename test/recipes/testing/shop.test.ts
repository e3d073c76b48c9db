import { createSessionManager } from 'holdfast'
import { issueSession, readSession } from 'holdfast/testing'
import { expect, it } from 'vitest'
import { createShop, type Data } from './shop.ts'

const manager = createSessionManager<Data>()
const shop = createShop(manager)

it('greets who is signed in', async () => {
  const cookie = await issueSession(manager, {}, { user: 'u1' })
  const response = await shop.request('/', { headers: { cookie } })
  expect(await response.text()).toBe('Hello, u1')
})

it('puts one more into the cart', async () => {
  const cookie = await issueSession(manager, { cart: ['rope'] })
  await shop.request('/cart/cleat', { method: 'POST', headers: { cookie } })
  expect(await readSession(manager, cookie)).toEqual({ cart: ['rope', 'cleat'] })
})

it('keeps the cart at a sign-in', async () => {
  const cookie = await issueSession(manager, { cart: ['rope'] })
  const response = await shop.request('/login', { method: 'POST', headers: { cookie } })
  expect(await readSession(manager, response)).toEqual({ cart: ['rope'] })
  expect(await readSession(manager, cookie)).toBeUndefined()
})

it('signs in, and greets on the next page', async () => {
  const response = await shop.request('/login', { method: 'POST' })
  const cookie = response.headers.getSetCookie().join('; ') // will do as a Cookie header
  expect(await manager.open(cookie).userId()).toBe('u1')
  const next = await shop.request('/', { headers: { cookie } })
  expect(await next.text()).toBe('Hello, u1')
})
