import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createSessionManager,
  SessionConflictError,
  SessionEndedError,
  type Session,
  type SessionManager,
} from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { openRequest } from '../../support/open-request.ts'
import { kinds, type StoreServer } from '../../support/store-servers.ts'
import { secret, stores } from '../../support/stores.ts'
import { failing } from '../../support/tampered-store.ts'
import { visit, visitOk } from '../../support/visit.ts'

type Handler = (session: Session) => unknown

const TOMBSTONE_MS = 60_000

const signInAs =
  (user: string): Handler =>
  (session) => {
    session.regenerateId()
    session.set('user', user)
  }
const signOut: Handler = (session) => session.destroy()

describe.each(stores)('races of signing in and out on $name', ({ open }) => {
  const store = open()
  const bench = useBench(store)

  const begin = (data: Record<string, unknown> = { user: 'u1' }) => bench.begin(data)
  const read = (cookie: string) => bench.read(cookie)
  /** On this application server, and on another one. */
  const here = (cookie: string, handler: Handler) => openRequest(bench.manager, cookie, handler)
  const elsewhere = (cookie: string, handler: Handler) => openRequest(bench.another(), cookie, handler)

  it('E5: a slow request and a sign-out: the sign-out stays', async () => {
    const cookie = await begin()
    const slow = await here(cookie, (session) => session.set('cart', ['rope']))
    const out = await elsewhere(cookie, signOut)
    expect(await out.commit()).toMatchObject({
      error: undefined,
      setCookie: expect.stringContaining('Max-Age=0'),
    })
    expect(await slow.commit()).toMatchObject({ error: undefined, setCookie: undefined })
    expect(bench.events()).toContain('dropped')
    expect(await read(cookie)).toEqual({})
  })

  it('E5: two sign-outs at once both succeed', async () => {
    const cookie = await begin()
    const requests = [await here(cookie, signOut), await elsewhere(cookie, signOut)]
    for (const { error, setCookie } of await Promise.all(requests.map((request) => request.commit()))) {
      expect([error, setCookie]).toEqual([undefined, expect.stringContaining('Max-Age=0')])
    }
    expect(await read(cookie)).toEqual({})
  })

  it('E5, E7: a sign-in while five requests write with the old token: what they acknowledged is carried over', async () => {
    const cookie = await begin({ cart: ['rope'] })
    const writers = await Promise.all(
      Array.from({ length: 5 }, (_, index) =>
        (index % 2 ? here : elsewhere)(cookie, (session) => session.set(`seen ${index}`, true)),
      ),
    )
    const signIn = await here(cookie, signInAs('u1'))
    const [signedIn, ...written] = await Promise.all([
      signIn.commit(),
      ...writers.map(async ({ session, commit }, index) => {
        const isSaved = await session.save().then(
          () => true,
          (error: unknown) => {
            expect(error).toBeInstanceOf(SessionEndedError)
            return false
          },
        )
        expect((await commit()).setCookie).toBeUndefined()
        return isSaved ? [`seen ${index}`] : []
      }),
    ])
    expect(signedIn.error).toBeUndefined()
    const kept = await read(signedIn.cookie)
    expect(kept).toMatchObject({ user: 'u1', cart: ['rope'] })
    expect(
      Object.keys(kept)
        .filter((key) => key.startsWith('seen'))
        .toSorted(),
    ).toEqual(written.flat().toSorted())
    expect(await read(cookie)).toEqual({})
  })

  it('E7: regenerated twice at once: one new token, and the other request is not signed in', async () => {
    const cookie = await begin({ cart: ['rope'] })
    const requests = [await here(cookie, signInAs('u1')), await elsewhere(cookie, signInAs('u1'))]
    const answers = await Promise.all(requests.map((request) => request.commit()))
    const tokens = answers.filter(({ setCookie }) => setCookie !== undefined)
    expect(tokens).toHaveLength(1)
    expect(answers.find(({ setCookie }) => setCookie === undefined)!.error).toBeInstanceOf(
      SessionConflictError,
    )
    expect(await read(tokens[0]!.cookie)).toEqual({ user: 'u1', cart: ['rope'] })
    expect(await read(cookie)).toEqual({})
  })

  it('E7: regenerated one after the other by one request: one token leaves, the last', async () => {
    const cookie = await begin()
    const { error, cookie: last } = await visit(bench.manager, cookie, async (session) => {
      session.regenerateId()
      await session.save()
      session.regenerateId()
    })
    expect(error).toBeUndefined()
    expect(last).not.toBe(cookie)
    expect(await read(last)).toEqual({ user: 'u1' })
    expect(await read(cookie)).toEqual({})
  })

  it('E5, E7: regenerateId and destroy in one request: the session is over', async () => {
    for (const handler of [
      (session: Session) => (session.regenerateId(), session.destroy()),
      (session: Session) => (session.destroy(), session.regenerateId()),
    ]) {
      const cookie = await begin()
      const { error, setCookie } = await visit(bench.manager, cookie, handler)
      expect([error, setCookie]).toEqual([undefined, expect.stringContaining('Max-Age=0')])
      expect(await read(cookie)).toEqual({})
    }
  })

  it('E6: a response that the client never got, and the sign-in repeated with the old token', async () => {
    const cookie = await begin({ cart: ['rope'] })
    const lost = await visitOk(bench.manager, cookie, signInAs('u1'))
    const repeated = await visitOk(bench.manager, cookie, signInAs('u1'))
    expect(repeated.cookie).not.toBe(lost.cookie)
    expect(await read(repeated.cookie)).toEqual({ user: 'u1' })
    expect(await read(cookie)).toEqual({})
  })

  it('E8: an eviction between load and save: nothing is written, under no token', async () => {
    const cookie = await begin()
    const slow = await here(cookie, (session) => session.set('cart', ['rope']))
    await store.current.delete(bench.store.keys[0]!)
    bench.forget()
    expect(await slow.commit()).toMatchObject({ error: undefined, setCookie: undefined })
    expect(bench.events()).toEqual(['missing'])
    expect(await read(cookie)).toEqual({})
  })

  it.each<[string, Handler, unknown]>([
    ['a slow request', (session) => session.set('cart', ['rope']), undefined],
    ['a slow sign-in', signInAs('u2'), expect.any(SessionEndedError)],
  ])('E8: %s that commits after the tombstone ran out brings nothing back', async (_, handler, rejection) => {
    const cookie = await begin()
    const slow = await here(cookie, handler)
    const [storeKey] = bench.store.keys
    await (await elsewhere(cookie, signOut)).commit()
    bench.clock.ms += TOMBSTONE_MS
    await store.current.delete(storeKey!)
    const before = await store.countRecords()
    expect(await slow.commit()).toMatchObject({ error: rejection, setCookie: undefined })
    expect(await read(cookie)).toEqual({})
    await expect.poll(() => store.countRecords()).toBeLessThanOrEqual(before)
  })

  it('E7: a double-clicked sign-in: the browser ends up signed in, whichever answer comes last', async () => {
    const cookie = await begin({ cart: ['rope'] })
    const clicks = [await here(cookie, signInAs('u1')), await here(cookie, signInAs('u1'))]
    const answers = await Promise.all(clicks.map((click) => click.commit()))
    const handedOut = answers.flatMap(({ setCookie, cookie }) => (setCookie === undefined ? [] : [cookie]))
    expect(handedOut).toHaveLength(1)
    expect(await read(handedOut[0]!)).toEqual({ user: 'u1', cart: ['rope'] })
  })

  it('E7: a sign-out that meets regenerateId: afterwards nobody is signed in, under either token', async () => {
    for (const isSignOutFirst of [true, false]) {
      const cookie = await begin()
      const out = await here(cookie, signOut)
      const regenerating = await elsewhere(cookie, (session) => session.regenerateId())
      const order = isSignOutFirst ? [out, regenerating] : [regenerating, out]
      const answers = []
      for (const request of order) answers.push(await request.commit())
      const [signedOut, regenerated] = isSignOutFirst ? answers : answers.toReversed()
      expect(signedOut!.error).toBeUndefined()
      if (isSignOutFirst) expect(regenerated!.error).toBeInstanceOf(SessionEndedError)
      expect(await read(cookie)).toEqual({})
      if (regenerated!.cookie) expect(await read(regenerated!.cookie)).toEqual({})
    }
  })

  it('E7: a sign-out and a regenerateId at the very same time', async () => {
    for (let round = 0; round < 20; round++) {
      const cookie = await begin()
      const out = await here(cookie, signOut)
      const regenerating = await elsewhere(cookie, (session) => session.regenerateId())
      const [signedOut, regenerated] = await Promise.all([out.commit(), regenerating.commit()])
      expect(signedOut.error).toBeUndefined()
      expect(await read(cookie)).toEqual({})
      if (regenerated.cookie) expect(await read(regenerated.cookie)).toEqual({})
    }
  })

  it('E4: a lost reply with a third writer in between: each write counts once', async () => {
    const cookie = await begin({ n: 0 })
    const plusOne: Handler = (session) => session.update('n', (n = 0) => n + 1)
    const first = await here(cookie, plusOne)
    let isLost = false
    bench.store.after = async (operation) => {
      if (operation !== 'replace' || isLost) return
      isLost = true
      await visitOk(bench.another({ store: store.current }), cookie, plusOne)
      failing('replace')('replace')
    }
    expect((await first.commit()).error).toBeUndefined()
    bench.forget()
    expect(await read(cookie)).toEqual({ n: 2 })
  })

  it('B6: two live cookies: nobody is taken for somebody else, and signing in heals it', async () => {
    const [mine, theirs] = [await begin({ user: 'me' }), await begin({ user: 'them' })]
    const both = `${mine}; ${theirs}`
    const writing = await visitOk(bench.manager, both, async (session) => {
      session.set('cart', ['rope'])
      return session.get('user')
    })
    expect([writing.result, writing.setCookie]).toEqual([undefined, undefined])
    const signedIn = await visitOk(bench.manager, both, signInAs('me again'))
    for (const cookie of [mine, theirs]) expect(await read(cookie)).toEqual({})
    expect(await read(signedIn.cookie)).toEqual({ user: 'me again' })
  })
})

describe.each(kinds)('a cold restart of $name between load and save', (kind) => {
  let server: StoreServer
  let manager: SessionManager
  beforeAll(async () => {
    server = await kind.start()
    manager = createSessionManager({ store: await kind.open(server.port), secret })
  })
  afterAll(async () => {
    await manager.close()
    await server.stop()
  })

  it.each<[string, Handler, unknown]>([
    ['a write', (session) => session.set('cart', ['rope']), undefined],
    ['a sign-in', signInAs('u2'), expect.any(SessionEndedError)],
  ])('E8, M14: %s finds its session gone, and takes no other for it', async (_, handler, rejection) => {
    const { cookie } = await visitOk(manager, undefined, (session) => session.set('user', 'u1'))
    const slow = await openRequest(manager, cookie, handler)
    await server.startAgain()
    // Versions of memcached begin anew, so this session has the version that the other one had.
    const other = await visitOk(manager, undefined, (session) => session.set('user', 'u3'))
    expect(await slow.commit()).toMatchObject({ error: rejection, setCookie: undefined })
    expect((await visitOk(manager, cookie, (session) => session.exists())).result).toBe(false)
    expect((await visitOk(manager, other.cookie, (session) => session.get('user'))).result).toBe('u3')
  })

  it('E5, M14: a sign-out finds it gone as well, and clears the cookie', async () => {
    const { cookie } = await visitOk(manager, undefined, (session) => session.set('user', 'u1'))
    const out = await openRequest(manager, cookie, signOut)
    await server.startAgain()
    const { error, setCookie } = await out.commit()
    expect([error, setCookie]).toEqual([undefined, expect.stringContaining('Max-Age=0')])
  })
})
