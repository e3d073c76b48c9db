import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono, type Handler } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { createSessionManager, MemoryStore, type SessionEvent, type UserSession } from 'holdfast'
import { session } from 'holdfast/hono'
import { issueSession, readSession } from 'holdfast/testing'
import { secret } from '../support/stores.ts'
import { TamperedStore } from '../support/tampered-store.ts'
import { visit, visitOk } from '../support/visit.ts'
import { signInWithCart } from './users/carts.ts'
import { app as devicesApp, manager as devicesManager } from './users/devices.ts'
import { signedIn } from './users/guard.ts'
import { actAs, signIn as signInOrdinarily } from './users/impersonation.ts'
import { manager as oneDevice } from './users/one-device.ts'
import { passwordChanged } from './users/password.ts'
import { signIn } from './users/sign-in.ts'

const guide = readFileSync('docs/users.md', 'utf8')
const FOLDER = 'test/docs/users'

/** A shop with these sessions, as the guide has it. */
function start(options: { maxSessionsPerUser?: number } = {}) {
  let now = Date.now()
  const events: SessionEvent[] = []
  const store = new TamperedStore(new MemoryStore({ now: () => now }))
  const onEvent = (event: SessionEvent) => events.push(event)
  const manager = createSessionManager({ store, secret, onEvent, now: () => now, ...options })
  const userOf = (cookie: string) => manager.open(cookie).userId()
  return { manager, store, events, userOf, pass: (seconds: number) => (now += seconds * 1000) }
}

const DAY = 86_400
const ends: (() => void)[] = []
afterEach(() => ends.splice(0).forEach((end) => end()))

describe('docs/users.md', () => {
  it('counts the round trips as they are', async () => {
    const { manager, store, pass } = start()
    const trips = async (work: () => Promise<unknown>) => {
      store.forget()
      await work()
      return store.operations.length
    }
    const anonymous = await issueSession(manager, { cart: ['rope'] })
    const cookie = await issueSession(manager, {}, { user: 'u1' })
    const other = await issueSession(manager, {}, { user: 'u1' })
    const own = await issueSession(manager, {}, { user: 'u4' })
    const anothers = await issueSession(manager, {}, { user: 'u5' })
    pass(60)
    const [{ id }] = (await manager.listSessions('u1', { current: manager.open(cookie) })) as [UserSession]
    const counted = {
      'a request that reads an anonymous session': await trips(() => readSession(manager, anonymous)),
      "a request that reads a user's session": await trips(() => readSession(manager, cookie)),
      'a sign-in over an anonymous session': await trips(() =>
        visitOk(manager, anonymous, (each) => each.signIn('u2')),
      ),
      'a sign-in without a session before it': await trips(() =>
        visitOk(manager, undefined, (each) => each.signIn('u3')),
      ),
      "a sign-in over one's own session": await trips(() =>
        visitOk(manager, own, (each) => each.signIn('u4')),
      ),
      "a sign-in over another user's session": await trips(() =>
        visitOk(manager, anothers, (each) => each.signIn('u6')),
      ),
      "a sign-out of a user's session": await trips(() => visitOk(manager, other, (each) => each.destroy())),
      listSessions: await trips(() => manager.listSessions('u1')),
      'revoke, or revokeAll': await trips(() => manager.revoke('u1', id)),
    }
    const told = [...guide.matchAll(/^\| ([^|]+) \| (\d+) \|$/gm)].map(
      ([, what, count]) => [what!.replaceAll('`', ''), Number(count)] as const,
    )
    expect(Object.fromEntries(told)).toEqual(counted)
  })
})

describe('sign-in.ts', () => {
  it('remembers whom it is to remember, and forgets the others with the browser', async () => {
    const { manager, userOf, pass } = start()
    const forgotten = await visitOk(manager, undefined, (each) =>
      signIn(each as never, 'u1', 'Firefox', false),
    )
    const remembered = await visitOk(manager, undefined, (each) =>
      signIn(each as never, 'u1', 'Safari', true),
    )
    expect(forgotten.setCookie).not.toContain('Max-Age')
    expect(remembered.setCookie).toContain(`Max-Age=${90 * DAY};`)
    expect((await manager.listSessions('u1')).map(({ label }) => label).toSorted()).toEqual([
      'Firefox',
      'Safari',
    ])
    pass(29 * DAY)
    expect(await userOf(remembered.cookie)).toBe('u1')
    expect(await userOf(forgotten.cookie)).toBeUndefined()
  })

  it('E11: keeps the cart of a stranger, and of another user what it names', async () => {
    const { manager } = start()
    const data = { cart: ['rope'], theme: 'dark' }
    const alices = await issueSession(manager, data, { user: 'alice' })
    const bobs = await visitOk(manager, alices, (each) => signIn(each as never, 'bob', 'Firefox', false))
    expect(await readSession(manager, bobs.cookie)).toEqual({ theme: 'dark' })
    const strangers = await issueSession(manager, data)
    const { cookie } = await visitOk(manager, strangers, (each) => signIn(each as never, 'bob', 'x', false))
    expect(await readSession(manager, cookie)).toEqual(data)
  })
})

describe('guard.ts', () => {
  const source = readFileSync(`${FOLDER}/guard.ts`, 'utf8')
  const guards = { 'as it is': () => signedIn, 'with its await forgotten': withoutAwait }

  it.each(Object.entries(guards))('%s, lets in nobody who is not signed in', async (name, load) => {
    const { manager } = start()
    const guard = await load()
    const app = new Hono().use(session(manager))
    app.get('/secret', guard((c, userId) => c.text(`the secret of ${userId}`)) as Handler)
    const get = (cookie = '') => app.request('/secret', { headers: { cookie } })
    for (const cookie of ['', await issueSession(manager, { cart: [] })]) {
      const response = await get(cookie)
      expect([response.status, response.headers.get('location')]).toEqual([302, '/login'])
    }
    const response = await get(await issueSession(manager, {}, { user: 'u1' }))
    if (name === 'as it is') expect(await response.text()).toBe('the secret of u1')
    else expect(response.status).toBe(302)
  })

  it('stands for others that a forgotten await opens', async () => {
    const { manager } = start()
    const stranger = manager.open(undefined)
    // @ts-expect-error the compiler finds this one
    expect(stranger.userId() ? 'open' : 'closed').toBe('open')
    expect(stranger.userId() === undefined ? 'closed' : 'open').toBe('open')
  })

  /** The guard's own text, less the word. */
  async function withoutAwait(): Promise<typeof signedIn> {
    const forgotten = source.replace('await c.var', 'c.var')
    expect(forgotten).not.toBe(source)
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-guard-'))
    ends.push(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'guard.ts'), forgotten)
    return (await import(join(folder, 'guard.ts'))).signedIn
  }
})

describe('devices.ts', () => {
  const open = async (label: string) => {
    const { cookie } = await visitOk(devicesManager as never, undefined, (each) =>
      each.signIn('u1', { label }),
    )
    const ask = (path: string, method = 'GET') => devicesApp.request(path, { method, headers: { cookie } })
    return { ask, list: async () => (await ask('/devices')).json() }
  }
  const named = (devices: { label: string }[]) => devices.map(({ label }) => label).toSorted()

  it('lists the devices, ends one, and ends all others', async () => {
    const laptop = await open('Firefox on Linux')
    const phone = await open('Safari on a phone')
    const tablet = await open('Chrome on a tablet')
    const devices = await laptop.list()
    expect(named(devices)).toEqual(['Chrome on a tablet', 'Firefox on Linux', 'Safari on a phone'])
    expect(named(devices.filter((each: { isCurrent: boolean }) => each.isCurrent))).toEqual([
      'Firefox on Linux',
    ])
    const { id } = devices.find(({ label }: { label: string }) => label === 'Safari on a phone')
    expect((await laptop.ask(`/devices/end/${id}`, 'POST')).status).toBe(303)
    expect((await phone.ask('/devices')).headers.get('location')).toBe('/login')
    expect(named(await tablet.list())).toEqual(['Chrome on a tablet', 'Firefox on Linux'])

    await tablet.ask('/devices/end-others', 'POST')
    expect(named(await tablet.list())).toEqual(['Chrome on a tablet'])
    expect((await laptop.ask('/devices')).status).toBe(302)
  })

  it("ends nobody else's", async () => {
    const mine = await open('mine')
    const theirs = await issueSession(devicesManager, {}, { user: 'u2' })
    const [{ id }] = (await devicesManager.listSessions('u2')) as [UserSession]
    expect((await mine.ask(`/devices/end/${id}`, 'POST')).status).toBe(303)
    expect(await devicesManager.open(theirs).userId()).toBe('u2')
  })
})

describe('password.ts', () => {
  it('ends every other session of the user, and the token of this one', async () => {
    const { manager, userOf } = start()
    const others = [
      await issueSession(manager, {}, { user: 'u1' }),
      await issueSession(manager, {}, { user: 'u1' }),
    ]
    const before = await issueSession(manager, { cart: ['rope'] }, { user: 'u1' })
    const changed = await visitOk(manager, before, (each) =>
      passwordChanged(manager as never, each as never, 'u1'),
    )
    expect(await readSession(manager, changed.cookie)).toEqual({ cart: ['rope'] })
    expect(await userOf(changed.cookie)).toBe('u1')
    for (const dead of [...others, before]) expect(await userOf(dead)).toBeUndefined()
    expect(await manager.listSessions('u1')).toHaveLength(1)
  })

  it('does as much for somebody who was signed out, by a link in a mail', async () => {
    const { manager, userOf } = start()
    const other = await issueSession(manager, {}, { user: 'u1' })
    const { cookie } = await visitOk(manager, undefined, (each) =>
      passwordChanged(manager as never, each as never, 'u1'),
    )
    expect([await userOf(cookie), await userOf(other)]).toEqual(['u1', undefined])
  })
})

describe('one-device.ts', () => {
  it('signs the other device out', async () => {
    const first = await issueSession(oneDevice, {}, { user: 'u1' })
    const second = await issueSession(oneDevice, {}, { user: 'u1' })
    expect(await oneDevice.open(first).userId()).toBeUndefined()
    expect(await oneDevice.open(second).userId()).toBe('u1')
  })
})

describe('impersonation.ts', () => {
  it('is a session of the user, says who it really is, and holds nothing of his own', async () => {
    const { manager, userOf, pass } = start()
    const staff = await issueSession(manager, { cart: ["staff's own"] }, { user: 'ada' })
    const { cookie, setCookie } = await visitOk(manager, staff, (each) => actAs(each as never, 'u1', 'ada'))
    expect(setCookie).not.toContain('Max-Age')
    expect([await userOf(cookie), await readSession(manager, cookie)]).toEqual(['u1', { actor: 'ada' }])
    expect((await manager.listSessions('u1')).map(({ label }) => label)).toEqual(['Support'])
    expect(await manager.listSessions('ada')).toEqual([])
    pass(1_801)
    expect(await userOf(cookie)).toBeUndefined()
  })

  it('is over once the user signs in himself, though he keeps his data', async () => {
    const { manager, userOf } = start()
    const staff = await visitOk(manager, undefined, (each) => {
      actAs(each as never, 'u1', 'ada')
      each.set('cart', ['rope'])
    })
    const himself = await visitOk(manager, staff.cookie, (each) => signInOrdinarily(each as never, 'u1'))
    expect([await userOf(himself.cookie), await readSession(manager, himself.cookie)]).toEqual([
      'u1',
      { cart: ['rope'] },
    ])
  })
})

describe('carts.ts', () => {
  const click = (manager: never, cookie: string | undefined) =>
    visitOk(manager, cookie, (each) => signInWithCart(each as never, 'u1', ['anchor']))

  it('E7: a double click makes one session, with both carts in it once', async () => {
    const { manager } = start()
    const cookie = await issueSession(manager, { cart: ['rope'] })
    const clicks = await Promise.all([click(manager as never, cookie), click(manager as never, cookie)])
    expect(clicks[0].cookie).toBe(clicks[1].cookie)
    expect(await readSession(manager, clicks[0].cookie)).toEqual({ cart: ['anchor', 'rope'] })
    expect(await manager.listSessions('u1')).toHaveLength(1)
  })

  it('a double click with no session before it makes two, as the guide says', async () => {
    const { manager } = start()
    const clicks = await Promise.all([click(manager as never, undefined), click(manager as never, undefined)])
    expect(clicks[0].cookie).not.toBe(clicks[1].cookie)
    expect(await manager.listSessions('u1')).toHaveLength(2)
  })
})

describe('What the guide says of the list', () => {
  it('a mark that is lost signs its user out, and a revocation is seen at the next load', async () => {
    const { manager, store, events, userOf } = start()
    const cookie = await issueSession(manager, {}, { user: 'u1' })
    const slow = manager.open(cookie)
    expect(await slow.userId()).toBe('u1')
    store.forget()
    await manager.revokeAll('u1')
    const [mark] = store.keys
    expect(await slow.userId()).toBe('u1')
    expect(await userOf(cookie)).toBeUndefined()
    const second = await issueSession(manager, {}, { user: 'u1' })
    await store.delete(mark!)
    expect(await userOf(second)).toBeUndefined()
    expect(events.filter(({ type }) => type === 'ended').map(({ reason }) => reason)).toEqual([
      'revoked',
      'mark-lost',
    ])
    const third = await visit(manager, second, (each) => each.signIn('u1'))
    expect(await userOf(third.cookie)).toBe('u1')
  })
})
