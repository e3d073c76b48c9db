import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { createSessionManager, MemoryStore, SessionDataError, StoreUnavailableError } from 'holdfast'
import { session } from 'holdfast/hono'
import { issueSession } from 'holdfast/testing'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'

type Data = { userId: string; cart: string[] }

function start() {
  const memory = new MemoryStore()
  const store = new TamperedStore(memory)
  const manager = createSessionManager<Data>({ store, secret })
  const app = new Hono().use(session(manager))
  app.get('/', async (c) => c.json(await c.var.session.entries()))
  app.post('/sign-out', (c) => {
    c.var.session.destroy()
    return c.body(null, 204)
  })
  const read = async (cookie: string) => (await app.request('/', { headers: { cookie } })).json()
  return { app, manager, memory, store, read }
}

describe('issueSession', () => {
  it('gives the Cookie header of a visitor whose session holds the data', async () => {
    const { manager, read } = start()
    const cookie = await issueSession(manager, { userId: 'u1', cart: ['rope'] })
    expect(cookie).toMatch(/^__Host-session=[\w-]{43}$/)
    expect(await read(cookie)).toEqual({ userId: 'u1', cart: ['rope'] })
  })

  it('gives every visitor a session of its own, which can be signed out', async () => {
    const { app, manager, read } = start()
    const one = await issueSession(manager, { userId: 'u1' })
    const other = await issueSession(manager, { userId: 'u1' })
    expect(one).not.toBe(other)
    await app.request('/sign-out', { method: 'POST', headers: { cookie: one } })
    expect(await read(one)).toEqual({})
    expect(await read(other)).toEqual({ userId: 'u1' })
  })

  it('has the name of the cookie from the manager', async () => {
    const manager = createSessionManager<Data>({ cookie: { name: 'shop', secure: false } })
    expect(await issueSession(manager, { userId: 'u1' })).toMatch(/^shop=/)
  })

  it.each([{}, { userId: undefined }])('refuses to begin a session without data: %o', async (data) => {
    const { manager, memory } = start()
    await expect(issueSession(manager, data as Partial<Data>)).rejects.toThrow(
      new TypeError('data: expected at least one value, or a user, to begin a session with'),
    )
    expect(memory.size).toBe(0)
  })

  it('signs a user in: the session is one of his, and can be revoked', async () => {
    const { manager, read } = start()
    const cookie = await issueSession(manager, {}, { user: 'u1' })
    const other = await issueSession(manager, { cart: ['rope'] }, { user: 'u1' })
    expect(await manager.open(other).userId()).toBe('u1')
    expect(await manager.listSessions('u1')).toHaveLength(2)
    await manager.revokeAll('u1', { except: manager.open(other) })
    expect(await manager.open(cookie).exists()).toBe(false)
    expect(await read(other)).toEqual({ cart: ['rope'] })
  })

  it.each([{ user: 'u1' }, {}])('C5: has timeouts of its own, with %o', async (who) => {
    let now = Date.now()
    const manager = createSessionManager<Data>({ secret, now: () => now, idleTimeout: 60 })
    const timeouts = { idle: 600, absolute: 900 }
    const cookie = await issueSession(manager, { cart: [] }, { ...who, timeouts })
    const alive: boolean[] = []
    for (const pause of [500, 390, 20]) {
      now += pause * 1000
      alive.push(await manager.open(cookie).exists())
    }
    expect(alive).toEqual([true, true, false])
  })

  it('refuses to begin a session of timeouts alone, and options that it does not know', async () => {
    const { manager } = start()
    await expect(issueSession(manager, {}, { timeouts: { idle: 86_400 } })).rejects.toThrow(TypeError)
    await expect(issueSession(manager, { cart: [] }, { userId: 'u1' } as object)).rejects.toThrow(
      'options: expected user, timeouts; got userId',
    )
    await expect(issueSession(manager, { cart: [] }, { user: '' })).rejects.toThrow(TypeError)
    await expect(issueSession(manager, { cart: [] }, { timeouts: { idle: 1 } })).rejects.toThrow(RangeError)
  })

  it('rejects as a commit does', async () => {
    const { manager, store } = start()
    await expect(issueSession(manager, { userId: 1n as never })).rejects.toThrow(SessionDataError)
    store.before = failing('add', 10)
    await expect(issueSession(manager, { userId: 'u1' })).rejects.toThrow(StoreUnavailableError)
  })

  it('takes the data of the manager alone, to the compiler', async () => {
    const { manager } = start()
    // @ts-expect-error userId is a string
    await issueSession(manager, { userId: 1 })
    // @ts-expect-error no such key
    await issueSession(manager, { user: 'u1' })
    const untyped = createSessionManager()
    await issueSession(untyped, { anything: [1, 2, 3] })
  })
})
