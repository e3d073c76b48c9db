import { createSessionManager } from 'holdfast'
import { issueSession } from 'holdfast/testing'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createShop, type Data } from './shop.ts'

const HOUR = 3_600_000

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

it('forgets who stayed away for a day', async () => {
  const manager = createSessionManager<Data>()
  const shop = createShop(manager)
  const cookie = await issueSession(manager, {}, { user: 'u1' })
  const greeting = async () => (await shop.request('/', { headers: { cookie } })).text()
  vi.advanceTimersByTime(23 * HOUR)
  expect(await greeting()).toBe('Hello, u1')
  vi.advanceTimersByTime(23 * HOUR)
  expect(await greeting()).toBe('Hello, u1')
  vi.advanceTimersByTime(24 * HOUR)
  expect(await greeting()).toBe('Hello, stranger')
})
