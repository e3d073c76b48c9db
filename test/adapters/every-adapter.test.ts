import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as fetchAdapter from '../../src/adapters/fetch.ts'
import * as hono from '../../src/adapters/hono.ts'
import * as koa from '../../src/adapters/koa.ts'
import * as node from '../../src/adapters/node.ts'
import { createSessionManager, MemoryStore, type SessionManager } from '../../src/core/index.ts'
import { adaptersAndOlder, type App, type Route } from '../support/apps.ts'
import { secret } from '../support/stores.ts'
import { TamperedStore } from '../support/tampered-store.ts'
import { tokenOf } from '../support/visit.ts'

const routes: Record<string, Route> = {
  '/untouched': () => ({ body: 'untouched' }),
  '/user': async (session) => ({ body: String(await session.get('user')) }),
  '/sign-in': (session) => {
    session.regenerateId()
    session.set('user', 'alice')
    return { status: 302, headers: { Location: '/user' } }
  },
  '/sign-out': (session) => {
    session.destroy()
    return { body: 'bye' }
  },
}

it('stacks and traces show what an adapter returns by its name', () => {
  const { name } = fetchAdapter.withSession({}, () => new Response())
  expect([hono.session().name, koa.session().name, node.session().name, name]).toEqual([
    'session',
    'session',
    'session',
    'withSession',
  ])
})

describe.each(adaptersAndOlder)('$name', ({ start }) => {
  let store: TamperedStore
  let manager: SessionManager
  let app: App
  beforeEach(async () => {
    store = new TamperedStore(new MemoryStore())
    manager = createSessionManager({ store, secret })
    app = await start(manager, routes)
  })
  afterEach(() => app.close())

  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(app.url + path, { headers, redirect: 'manual' })
  const signIn = async () => (await get('/sign-in')).headers.getSetCookie()[0]!.split(';')[0]!

  it('S28: only the Cookie header carries a token', async () => {
    const cookie = await signIn()
    const token = tokenOf(cookie)
    store.forget()
    const name = '__Host-session'
    const carriers: [string, Record<string, string>?][] = [
      [`/user?${cookie}`],
      [`/user?session=${token}&token=${token}`],
      [`/user;${cookie}?${name}=${token}#${cookie}`],
      ['/user', { Authorization: `Bearer ${token}` }],
      ['/user', { 'X-Session': token, 'X-Session-Token': token, [name]: token }],
      ['/user', { 'Set-Cookie': cookie, Cookie2: cookie, Referer: `${app.url}/?${cookie}` }],
    ]
    for (const [path, headers] of carriers) {
      const response = await get(path, headers)
      expect(await response.text()).not.toContain('alice')
      expect(response.headers.getSetCookie()).toEqual([])
    }
    for (const type of ['application/x-www-form-urlencoded', 'application/json']) {
      const body = type.endsWith('json') ? JSON.stringify({ [name]: token }) : cookie
      const response = await fetch(`${app.url}/user`, {
        method: 'POST',
        body,
        headers: { 'Content-Type': type },
      })
      expect(await response.text()).toBe('undefined')
    }
    expect(store.operations).toEqual([])
    expect(await (await get('/user', { cookie })).text()).toBe('alice')
  })

  it.each([
    ['S35: a sign-in', '/sign-in', 'add'],
    ['S9: a sign-out', '/sign-out', 'replace'],
  ])('%s is in the store before a byte of the response leaves', async (_, path, last) => {
    const cookie = path === '/sign-out' ? await signIn() : ''
    let release!: () => void
    const held = new Promise<void>((resolve) => (release = resolve))
    const asked = new Promise<void>((resolve) => {
      store.after = async (operation) => {
        if (operation !== last) return
        resolve()
        await held
      }
    })
    let isAnswered = false
    const answer = get(path, { cookie }).finally(() => (isAnswered = true))
    await asked
    // Time enough for an answer that does not wait, and within the 600 ms that a commit may take.
    for (let round = 0; round < 2; round++) await (await get('/untouched')).text()
    expect(isAnswered).toBe(false)
    release()
    expect((await answer).headers.getSetCookie()).toHaveLength(1)
  })

  it('S44: a 503 says nothing of hosts, keys, tokens or stacks, in headers or body', async () => {
    const cookie = await signIn()
    const [key] = store.keys
    store.before = () => {
      throw new Error(`connect ECONNREFUSED 10.1.2.3:11211, asking for ${key}`)
    }
    for (const path of ['/user', '/sign-in', '/sign-out']) {
      const response = await get(path, { cookie })
      expect(response.status).toBe(503)
      const shown = `${response.statusText}\n${JSON.stringify([...response.headers])}\n${await response.text()}`
      for (const told of [
        '10.1.2.3',
        '11211',
        'ECONN',
        key!,
        tokenOf(cookie),
        'alice',
        '.ts',
        'Error',
        '  at ',
      ]) {
        expect(shown).not.toContain(told)
      }
      expect(shown.split('\n')[2]).toBe('Service Unavailable')
    }
  })
})
