import { describe, expect, it } from 'vitest'
import {
  SessionConflictError,
  SessionEndedError,
  SessionStateError,
  type Session,
} from '../../../src/core/index.ts'
import { openRequest } from '../../support/open-request.ts'
import { stores } from '../../support/stores.ts'
import { useUsers } from '../../support/users.ts'
import { visit, visitOk } from '../../support/visit.ts'

const TOMBSTONE_MS = 30_000

type Handler = (session: Session) => unknown

describe.each(stores)('a repeated sign-in on $name', ({ open }) => {
  const opened = open()
  const bench = useUsers(opened)

  /** On this application server, and on another one. */
  const here = (cookie: string, handler: Handler) => openRequest(bench.manager, cookie, handler)
  const elsewhere = (cookie: string, handler: Handler) => openRequest(bench.another(), cookie, handler)
  const isLive = async (cookie: string) =>
    (await visitOk(bench.aside, cookie, (session) => session.exists())).result
  const click =
    (more: Handler = () => {}): Handler =>
    (session) => {
      session.signIn(bench.user, { label: 'phone' })
      return more(session)
    }
  /** Keys under which something is. */
  async function stored(keys: Iterable<string>): Promise<string[]> {
    const found = await Promise.all(
      [...new Set(keys)].map(async (key) => ((await opened.current.get(key, undefined)) ? [key] : [])),
    )
    return found.flat()
  }

  it.each<[string, boolean]>([
    ['the first that was opened', true],
    ['the last that was opened', false],
  ])('E7: both loaded live: one session, one token, one device, the changes of both; committed first: %s', async (_, isInOrder) => {
    const anonymous = await bench.begin({ cart: ['rope'], n: 1 })
    const requests = [
      await here(anonymous, click((session) => session.set('one', 1))),
      await elsewhere(anonymous, click((session) => session.set('two', 2))),
    ]
    const [first, second] = isInOrder ? requests : requests.toReversed()
    bench.forget()
    const answers = [await first!.commit(), await second!.commit()]
    expect(answers.map(({ error }) => error)).toEqual([undefined, undefined])
    const [cookie, same] = answers.map((answer) => answer.cookie)
    expect(cookie).toMatch(/^__Host-session=/)
    expect(same).toBe(cookie)
    expect(cookie).not.toBe(anonymous)
    expect(bench.events().filter((type) => type === 'signed-in')).toHaveLength(2)
    expect(await bench.read(cookie!)).toEqual({ cart: ['rope'], n: 1, one: 1, two: 2 })
    expect(await bench.userOf(cookie!)).toBe(bench.user)
    expect(await isLive(anonymous)).toBe(false)
    expect(await bench.labelsOf(bench.user)).toEqual(['phone'])
    // The old key's tombstone, the mark, the one session: what the second had made is taken back.
    expect(await stored(bench.store.keys)).toHaveLength(3)
  }) // prettier-ignore

  it('E7: all at once, on one server and on several: one token for all', async () => {
    const anonymous = await bench.begin({ cart: ['rope'] })
    const requests = []
    for (let index = 0; index < 6; index++) {
      const handler = click((session) => session.set(`click ${index}`, index))
      requests.push(await (index % 2 === 0 ? here : elsewhere)(anonymous, handler))
    }
    bench.forget()
    const answers = await Promise.all(requests.map((request) => request.commit()))
    expect(answers.map(({ error }) => error)).toEqual(answers.map(() => undefined))
    const cookies = new Set(answers.map(({ cookie }) => cookie))
    expect(cookies.size).toBe(1)
    const [cookie] = cookies
    expect(Object.keys(await bench.read(cookie!))).toHaveLength(7)
    expect(await bench.labelsOf(bench.user)).toEqual(['phone'])
    expect(await stored(bench.store.keys)).toHaveLength(3)
  })

  it("E7: one that arrives with the ended token is answered with the first one's, and so is a third", async () => {
    const anonymous = await bench.begin({ cart: ['rope'] })
    const first = await bench.signIn(bench.user, { label: 'phone' }, anonymous)
    for (const key of ['second', 'third']) {
      bench.clock.ms += TOMBSTONE_MS / 2 - 1
      const again = await visitOk(bench.manager, anonymous, click((session) => session.set(key, 1)))
      expect(again.cookie).toBe(first)
      expect(again.setCookie).toBeDefined()
    } // prettier-ignore
    expect(await bench.read(first)).toEqual({ cart: ['rope'], second: 1, third: 1 })
    expect(await bench.labelsOf(bench.user)).toEqual(['phone'])
  })

  it('E7, C7: the second knows until when the session lives', async () => {
    const cookie = await bench.begin({ n: 1 })
    const requests = [await here(cookie, click()), await elsewhere(cookie, click())]
    for (const { session } of requests) await session.save()
    const [first, second] = await Promise.all(requests.map(({ session }) => session.expiresAt()))
    expect(second).toBe(first)
    expect(first).toBe(bench.clock.ms + 86_400_000)
  })

  it('E7: a third one finds the session although the user signed in again, and got another token', async () => {
    const anonymous = await bench.begin({ cart: ['rope'] })
    const loaded = await here(
      anonymous,
      click((session) => session.set('loaded', 1)),
    )
    const first = await bench.signIn(bench.user, { label: 'phone' }, anonymous)
    const second = await bench.signIn(bench.user, { label: 'phone' }, first)
    expect(second).not.toBe(first)
    const arriving = await visitOk(
      bench.manager,
      anonymous,
      click((session) => session.set('arriving', 1)),
    )
    expect(arriving.cookie).toBe(second)
    expect((await loaded.commit()).cookie).toBe(second)
    expect(await bench.read(second)).toEqual({ cart: ['rope'], arriving: 1, loaded: 1 })
    expect(await bench.labelsOf(bench.user)).toEqual(['phone'])
  })

  it('E6, E7: after 30 s the ended token is unknown to who arrives, and signs in afresh; who loaded it live is answered as ever', async () => {
    const anonymous = await bench.begin({ cart: ['rope'] })
    const loaded = await here(
      anonymous,
      click((session) => session.set('loaded', 1)),
    )
    const first = await bench.signIn(bench.user, { label: 'first' }, anonymous)
    bench.clock.ms += TOMBSTONE_MS
    const arriving = await bench.signIn(bench.user, { label: 'afresh' }, anonymous)
    expect([first, anonymous]).not.toContain(arriving)
    expect(await bench.read(arriving)).toEqual({})
    expect((await loaded.commit()).cookie).toBe(first)
    expect(await bench.read(first)).toEqual({ cart: ['rope'], loaded: 1 })
    expect(await bench.labelsOf(bench.user)).toEqual(['afresh', 'first'])
  })

  describe('of another user', () => {
    it('E7: who arrives with the ended token starts afresh, and neither sees the other', async () => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const first = await bench.signIn(bench.user, { label: 'phone' }, anonymous)
      const others = await visitOk(bench.manager, anonymous, (session) => {
        session.signIn(bench.other, { keep: ['cart'] })
        session.set('mine', 1)
      })
      expect([first, anonymous]).not.toContain(others.cookie)
      expect(await bench.read(others.cookie)).toEqual({ mine: 1 })
      expect(await bench.userOf(others.cookie)).toBe(bench.other)
      expect(await bench.userOf(first)).toBe(bench.user)
      expect(await bench.read(first)).toEqual({ cart: ['rope'] })
      expect(await bench.labelsOf(bench.user)).toEqual(['phone'])
    })

    it('E7: so does who had loaded the old session live: his credentials were checked', async () => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const loaded = await here(anonymous, (session) => {
        session.signIn(bench.other, { label: 'tablet' })
        session.set('mine', 1)
      })
      const first = await bench.signIn(bench.user, { label: 'phone' }, anonymous)
      bench.forget()
      const { error, cookie } = await loaded.commit()
      expect(error).toBeUndefined()
      expect([first, anonymous, '']).not.toContain(cookie)
      expect(await bench.read(cookie)).toEqual({ mine: 1 })
      expect(await bench.userOf(cookie)).toBe(bench.other)
      expect(await bench.userOf(first)).toBe(bench.user)
      expect(await bench.labelsOf(bench.user)).toEqual(['phone'])
      expect(await bench.labelsOf(bench.other)).toEqual(['tablet'])
      // The session, the tombstone, the mark; of what it made before nothing.
      expect(await stored(bench.store.keys)).toHaveLength(3)
    })
  })

  describe('whose first session has ended meanwhile', () => {
    const ends: [string, (cookie: string) => Promise<unknown>][] = [
      ['by a sign-out', (cookie) => visitOk(bench.aside, cookie, (session) => session.destroy())],
      ['by revokeAll', () => bench.aside.revokeAll(bench.user)],
    ]

    it.each(ends)('E7: %s: who loaded the old one live gets SessionEndedError, and nobody is signed in', async (_, end) => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const loaded = await here(anonymous, click((session) => session.set('loaded', 1)))
      const first = await bench.signIn(bench.user, {}, anonymous)
      await end(first)
      bench.forget()
      const { error, setCookie } = await loaded.commit()
      expect(error).toBeInstanceOf(SessionEndedError)
      expect(setCookie).toBeUndefined()
      expect(await bench.labelsOf(bench.user)).toEqual([])
      expect([await isLive(anonymous), await isLive(first)]).toEqual([false, false])
    }) // prettier-ignore

    it.each(ends)('E6, E7: %s: who arrives with the ended token starts afresh', async (_, end) => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const first = await bench.signIn(bench.user, {}, anonymous)
      await end(first)
      const { cookie } = await visitOk(bench.manager, anonymous, click((session) => session.set('mine', 1)))
      expect([first, anonymous]).not.toContain(cookie)
      expect(await bench.read(cookie)).toEqual({ mine: 1 })
      expect(await bench.userOf(cookie)).toBe(bench.user)
      expect(await bench.labelsOf(bench.user)).toEqual(['phone'])
      expect(await isLive(first)).toBe(false)
    }) // prettier-ignore

    it('E5, E7: a sign-out of the old session itself: the same', async () => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const loaded = await here(anonymous, click())
      await visitOk(bench.aside, anonymous, (session) => session.destroy())
      const { error, setCookie } = await loaded.commit()
      expect(error).toBeInstanceOf(SessionEndedError)
      expect(setCookie).toBeUndefined()
      expect(await bench.labelsOf(bench.user)).toEqual([])
      const cookie = await bench.signIn(bench.user, {}, anonymous)
      expect(await bench.read(cookie)).toEqual({})
      expect(await bench.userOf(cookie)).toBe(bench.user)
    })

    it('E7, E8: an old session that is gone from the store: SessionEndedError, and nothing is left', async () => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const [record] = await keysOf(anonymous)
      const loaded = await here(anonymous, click())
      await opened.current.delete(record!)
      bench.forget()
      const { error, setCookie } = await loaded.commit()
      expect(error).toBeInstanceOf(SessionEndedError)
      expect(setCookie).toBeUndefined()
      expect(bench.events()).toContain('missing')
      expect(await bench.labelsOf(bench.user)).toEqual([])
      // The mark, with nobody in it.
      expect(await stored(bench.store.keys)).toHaveLength(1)
    })
  })

  describe('with changes', () => {
    /** Two clicks that loaded the session live; the second is committed after the first. */
    async function twoClicks(data: Record<string, unknown>, first: Handler, second: Handler) {
      const anonymous = await bench.begin(data)
      const one = await here(anonymous, click(first))
      const two = await elsewhere(anonymous, click(second))
      const { cookie, error: none } = await one.commit()
      expect(none).toBeUndefined()
      const { error, cookie: same } = await two.commit()
      return { error, isSame: same === cookie, data: await bench.read(cookie) }
    }

    it('E1, E7: a counter that both update is counted twice', async () => {
      const count: Handler = (session) => session.update('n', (n: number = 0) => n + 1)
      const { data, isSame } = await twoClicks({ n: 1 }, count, count)
      expect([isSame, data]).toEqual([true, { n: 3 }])
    })

    it('E1, E7: a coupon that the first takes is taken', async () => {
      const { data } = await twoClicks(
        { coupon: 'X', n: 1 },
        (session) => session.take('coupon'),
        (session) => session.set('n', 2),
      )
      expect(data).toEqual({ n: 2 })
    })

    it('E1, E7: a coupon that both take and save is spent once, and the sign-in of who lost is taken back', async () => {
      const spent: unknown[] = []
      const spend: Handler = async (session) => {
        const coupon = await session.take('coupon')
        await session.save()
        spent.push(coupon)
      }
      const anonymous = await bench.begin({ coupon: 'X' })
      const sessions = [bench.manager.open(anonymous), bench.another().open(anonymous)]
      for (const session of sessions) await session.exists()
      const outcomes = []
      for (const session of sessions) {
        session.signIn(bench.user, { label: 'phone' })
        outcomes.push(await Promise.resolve(spend(session)).catch((error: unknown) => error))
      }
      expect(spent).toEqual(['X'])
      expect(outcomes[0]).toBeUndefined()
      expect(outcomes[1]).toBeInstanceOf(SessionConflictError)
      expect(await bench.labelsOf(bench.user)).toEqual(['phone'])
    })

    it('E1, E7: in a commit after the handler the second goes on, with nothing to take', async () => {
      const take: Handler = (session) => session.take('coupon')
      const { data, error, isSame } = await twoClicks({ coupon: 'X', n: 1 }, take, take)
      expect([error, isSame, data]).toEqual([undefined, true, { n: 1 }])
    })

    it("E1, E7: nested changes, deletions and what was done before signIn are in it; what it did not touch is the first one's", async () => {
      const { data } = await twoClicks(
        { cart: ['rope'], old: 1, theme: 'dark' },
        (session) => session.set('theme', 'light'),
        async (session) => {
          const cart = (await session.get('cart')) as string[]
          cart.push('ladder')
          session.delete('old')
        },
      )
      expect(data).toEqual({ cart: ['rope', 'ladder'], theme: 'light' })
    })

    it('C5, E7: timeouts that the second sets after its signIn count', async () => {
      const anonymous = await bench.begin({ n: 1 })
      await bench.signIn(bench.user, {}, anonymous)
      const { setCookie } = await visitOk(bench.manager, anonymous, click((session) => session.setTimeouts({ absolute: 3_600 })))
      expect(setCookie).toContain('Max-Age=3600;')
    }) // prettier-ignore

    it('E7: an explicit save is answered like a commit, and writes go on in the one session', async () => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const save = async (session: Session, key: string) => {
        session.signIn(bench.user, { label: 'phone' })
        session.set(key, 1)
        await session.save()
        expect(await session.userId()).toBe(bench.user)
        session.set(`${key}, later`, 1)
      }
      const one = await here(anonymous, () => {})
      const two = await elsewhere(anonymous, () => {})
      await save(one.session, 'one')
      await save(two.session, 'two')
      // What the second reads after its save is the session that both are in.
      expect(await two.session.get('one')).toBe(1)
      const answers = [await one.commit(), await two.commit()]
      expect(answers[1]!.cookie).toBe(answers[0]!.cookie)
      expect(await bench.read(answers[0]!.cookie)).toEqual({
        cart: ['rope'], one: 1, 'one, later': 1, two: 1, 'two, later': 1,
      }) // prettier-ignore
      expect(await bench.labelsOf(bench.user)).toEqual(['phone'])
    })

    it("E7, E11: over another user's session, the second joins the first and brings nothing of the other's", async () => {
      const { cookie: others } = await visitOk(bench.manager, undefined, (session) => {
        session.signIn(bench.other, { label: 'the other' })
        session.set('cart', ['rope'])
        session.set('theme', 'dark')
      })
      const over =
        (key: string): Handler =>
        async (session) => {
          session.set('before', key)
          await session.update('counted before', () => key)
          session.signIn(bench.user, { label: 'phone', keep: ['theme'] })
          session.set(key, 1)
        }
      const [one, two] = [await here(others, over('one')), await elsewhere(others, over('two'))]
      const answers = [await one.commit(), await two.commit()]
      const arriving = await visitOk(bench.manager, others, (session) => session.signIn(bench.user))
      expect(new Set([...answers, arriving].map(({ cookie }) => cookie)).size).toBe(1)
      expect(await bench.read(arriving.cookie)).toEqual({ theme: 'dark', one: 1, two: 1 })
      expect(await bench.labelsOf(bench.user)).toEqual(['phone'])
      expect(await bench.labelsOf(bench.other)).toEqual([])
    })
  })

  describe('when the head has left', () => {
    it('D10: the sign-in is not begun: nothing is written, and the old token stays good', async () => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const { error, setCookie } = await visit(bench.manager, anonymous, click(), {}, { canSetHeaders: () => false })
      expect(error).toBeInstanceOf(SessionStateError)
      expect(error).toMatchObject({ code: 'ERR_SESSION_HEADERS_SENT' })
      expect(setCookie).toBeUndefined()
      expect(bench.store.operations).toEqual(['get'])
      expect(bench.events()).toContain('cookie-lost')
      expect(await bench.read(anonymous)).toEqual({ cart: ['rope'] })
    }) // prettier-ignore

    it.each([true, false])('D10, E7: nor is the first one joined, without a session before: %j', async (isWithout) => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const first = await bench.signIn(bench.user, {}, anonymous)
      bench.forget()
      const { error } = await visit(
        bench.manager,
        isWithout ? undefined : anonymous,
        async (session) => {
          session.signIn(bench.user)
          session.set('mine', 1)
          await expect(session.save()).rejects.toMatchObject({ code: 'ERR_SESSION_HEADERS_SENT' })
        },
        {},
        { canSetHeaders: () => false },
      )
      expect(error).toMatchObject({ code: 'ERR_SESSION_HEADERS_SENT' })
      expect(bench.store.operations.filter((operation) => operation !== 'get')).toEqual([])
      expect(await bench.read(first)).toEqual({ cart: ['rope'] })
    }) // prettier-ignore
  })

  it('E6: until it is repeated the ended token reads empty, writes nothing and sends no cookie', async () => {
    const anonymous = await bench.begin({ cart: ['rope'] })
    const first = await bench.signIn(bench.user, {}, anonymous)
    bench.forget()
    const { result, setCookie } = await visitOk(bench.manager, anonymous, async (session) => {
      session.set('mine', 1)
      return { user: await session.userId(), cart: await session.get('cart') }
    })
    expect(result).toEqual({ user: undefined, cart: undefined })
    expect(setCookie).toBeUndefined()
    expect(bench.events()).toEqual(['ended', 'dropped'])
    expect(bench.lastEvents[0]).toMatchObject({ reason: 'regenerated' })
    expect(await bench.read(first)).toEqual({ cart: ['rope'] })
  })

  it("E7: a third user's, of three who loaded the session of the first of them live, starts afresh", async () => {
    const mine = await bench.signIn(bench.user, { label: 'phone' })
    const third = `${bench.other}, too`
    const loaded = await here(mine, (session) => session.signIn(third, { label: 'tablet' }))
    const others = await bench.signIn(bench.other, {}, mine)
    const { error, cookie } = await loaded.commit()
    expect(error).toBeUndefined()
    expect([await bench.userOf(others), await bench.userOf(cookie)]).toEqual([bench.other, third])
    expect(await bench.labelsOf(third)).toEqual(['tablet'])
  })

  it("E5: over another's session that was revoked meanwhile: SessionEndedError, and nobody is signed in", async () => {
    const others = await bench.signIn(bench.other)
    const loaded = await here(others, click())
    await bench.aside.revokeAll(bench.other)
    const { error, setCookie } = await loaded.commit()
    expect(error).toBeInstanceOf(SessionEndedError)
    expect(setCookie).toBeUndefined()
    expect(await bench.labelsOf(bench.user)).toEqual([])
  })

  describe('beside regenerateId', () => {
    it('E7: a write that came between is carried over to the new session', async () => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const loaded = await here(
        anonymous,
        click((session) => session.set('mine', 1)),
      )
      await visitOk(bench.aside, anonymous, (session) => session.set('between', 1))
      const { cookie } = await loaded.commit()
      expect(await bench.read(cookie)).toEqual({ cart: ['rope'], between: 1, mine: 1 })
    })

    it('E7: an anonymous session that was regenerated meanwhile: a conflict for who loaded it live, afresh for who arrives', async () => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const loaded = await here(anonymous, click())
      const { cookie: regenerated } = await visitOk(bench.aside, anonymous, (session) =>
        session.regenerateId(),
      )
      const { error, setCookie } = await loaded.commit()
      expect(error).toBeInstanceOf(SessionConflictError)
      expect(setCookie).toBeUndefined()
      expect(await bench.labelsOf(bench.user)).toEqual([])
      const cookie = await bench.signIn(bench.user, {}, anonymous)
      expect([await bench.read(cookie), await bench.read(regenerated)]).toEqual([{}, { cart: ['rope'] }])
    })

    it('E7: who signs in again over his own live session keeps his entry, which tells the new label and time', async () => {
      const first = await bench.signIn(bench.user, { label: 'phone' })
      const [before] = await bench.aside.listSessions(bench.user)
      bench.clock.ms += 5_000
      const second = await bench.signIn(bench.user, { label: 'new phone' }, first)
      bench.clock.ms += 5_000
      const third = await bench.signIn(bench.user, {}, second)
      expect(new Set([first, second, third]).size).toBe(3)
      expect(await bench.aside.listSessions(bench.user)).toEqual([
        { ...before, label: 'new phone', signedInAt: bench.clock.ms, lastSeenAt: bench.clock.ms },
      ])
      expect([await isLive(first), await isLive(second), await isLive(third)]).toEqual([false, false, true])
    })

    it('E7: a destroy that had loaded the session live ends what it became, to the last, and leaves the list', async () => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const loaded = await here(anonymous, (session) => session.destroy())
      const first = await bench.signIn(bench.user, {}, anonymous)
      const { cookie: second } = await visitOk(bench.aside, first, (session) => session.regenerateId())
      const third = await bench.signIn(bench.user, {}, second)
      expect(await isLive(third)).toBe(true)
      const { error, setCookie } = await loaded.commit()
      expect(error).toBeUndefined()
      expect(setCookie).toMatch(/Max-Age=0/)
      expect([await isLive(second), await isLive(third)]).toEqual([false, false])
      expect(await bench.labelsOf(bench.user)).toEqual([])
    })

    it('E6, E7: an old token that arrives with destroy later ends nothing', async () => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const first = await bench.signIn(bench.user, { label: 'phone' }, anonymous)
      const { setCookie } = await visitOk(bench.manager, anonymous, (session) => session.destroy())
      expect(setCookie).toMatch(/Max-Age=0/)
      expect(await isLive(first)).toBe(true)
      expect(await bench.labelsOf(bench.user)).toEqual(['phone'])
    })

    it('E7: a double click with no session before it makes two, since nothing ties them together', async () => {
      const clicks = await Promise.all([bench.signIn(bench.user), bench.signIn(bench.user)])
      expect(new Set(clicks).size).toBe(2)
      expect(await bench.labelsOf(bench.user)).toHaveLength(2)
    })

    it('B6: over two live sessions it ends both, takes data of neither, and both leave the list', async () => {
      const [one, two] = [await bench.signIn(bench.user), await bench.signIn(bench.other)]
      await visitOk(bench.aside, one, (session) => session.set('cart', ['rope']))
      const cookie = await bench.signIn(bench.user, { label: 'healed' }, `${one}; ${two}`)
      expect([await isLive(one), await isLive(two)]).toEqual([false, false])
      expect(await bench.read(cookie)).toEqual({})
      expect(await bench.labelsOf(bench.user)).toEqual(['healed'])
      expect(await bench.labelsOf(bench.other)).toEqual([])
    })
  })

  async function keysOf(cookie: string): Promise<string[]> {
    bench.forget()
    await visitOk(bench.manager, cookie, (session) => session.exists())
    return bench.store.keys.splice(0)
  }
})
