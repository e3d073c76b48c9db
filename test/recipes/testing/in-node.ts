import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createSessionManager } from 'holdfast'
import { issueSession } from 'holdfast/testing'
import { createShop, type Data } from './shop.ts'

it('forgets who stayed away for a day', async (test) => {
  const manager = createSessionManager<Data>()
  const headers = { cookie: await issueSession(manager, {}, { user: 'u1' }) }
  const greeting = async () => (await createShop(manager).request('/', { headers })).text()
  assert.equal(await greeting(), 'Hello, u1')
  test.mock.timers.enable({ apis: ['Date'], now: Date.now() + 86_400_000 })
  assert.equal(await greeting(), 'Hello, stranger')
})
