import { describe, expect, it } from 'vitest'
import {
  createSessionManager,
  SessionEndedError,
  SessionStateError,
  StoreUnavailableError,
  type Session,
} from '../../../src/core/index.ts'
import { openRequest } from '../../support/open-request.ts'
import { secret as TEST_SECRET, stores } from '../../support/stores.ts'
import { failing } from '../../support/tampered-store.ts'
import { useUsers } from '../../support/users.ts'
import { visit, visitOk } from '../../support/visit.ts'

const HOUR = 3_600
const DAY = 86_400
const DAYS_14 = 14 * DAY
const MINUTE_MS = 60_000

describe.each(stores)("a user's sessions on $name", ({ open }) => {
  const opened = open()
  const bench = useUsers(opened, { idleTimeout: HOUR, absoluteTimeout: DAYS_14 })

  const list = (user: string = bench.user) => bench.aside.listSessions(user)
  const pass = (minutes: number) => (bench.clock.ms += minutes * MINUTE_MS)
  const live = async (...cookies: string[]) =>
    Promise.all(cookies.map(async (cookie) => (await bench.userOf(cookie)) !== undefined))
  /** The reason of the `ended` event that a visit with this cookie tells. */
  async function reasonOf(cookie: string, manager = bench.manager) {
    bench.lastEvents.length = 0
    const { result } = await visitOk(manager, cookie, (session) => session.exists())
    expect(result).toBe(false)
    return bench.lastEvents.find(({ type }) => type === 'ended')?.reason
  }

  describe('listed', () => {
    it('E9, S61: the one used last first, with label, times and which is the current one', async () => {
      const start = bench.clock.ms
      const phone = await bench.signIn(bench.user, { label: 'phone' })
      pass(20)
      const laptop = await bench.signIn(bench.user, { label: 'laptop' })
      pass(20)
      await bench.signIn(bench.user)
      pass(4)
      await bench.userOf(phone)
      pass(1)
      const current = bench.manager.open(laptop)
      const sessions = await bench.manager.listSessions(bench.user, { current })
      const id = expect.stringMatching(/^[\w-]{22}$/) as string
      expect(sessions).toEqual([
        { id, label: 'laptop', signedInAt: start + 20 * MINUTE_MS, lastSeenAt: start + 45 * MINUTE_MS, isCurrent: true },
        { id, label: 'phone', signedInAt: start, lastSeenAt: start + 44 * MINUTE_MS, isCurrent: false },
        { id, label: undefined, signedInAt: start + 40 * MINUTE_MS, lastSeenAt: start + 40 * MINUTE_MS, isCurrent: false },
      ]) // prettier-ignore
      expect(new Set(sessions.map((each) => each.id)).size).toBe(3)
    })

    it('E9: nobody for a user who never signed in, and no two users share a list', async () => {
      await bench.signIn(bench.user)
      expect(await list(bench.other)).toEqual([])
      expect(await list()).toHaveLength(1)
    })

    it('E9: a sign-in over another leaves one list and enters the other', async () => {
      const others = await bench.signIn(bench.other)
      const mine = await bench.signIn(bench.user, { label: 'mine' }, others)
      expect(await bench.labelsOf(bench.other)).toEqual([])
      expect(await bench.labelsOf(bench.user)).toEqual(['mine'])
      expect(await live(others, mine)).toEqual([false, true])
    })

    it('E9: regenerateId and saves keep user and entry, and later revocations reach the new token', async () => {
      const first = await bench.signIn(bench.user, { label: 'phone' })
      const before = await list()
      await visitOk(bench.manager, first, (session) => session.set('n', 1))
      const { cookie } = await visitOk(bench.another(), first, (session) => session.regenerateId())
      expect(cookie).not.toBe(first)
      expect(await bench.userOf(cookie)).toBe(bench.user)
      expect(await list()).toEqual(before)
      await bench.aside.revoke(bench.user, before[0]!.id)
      expect(await live(cookie)).toEqual([false])
    })

    it('E9: two managers with two cookie names, on one store and under one secret, do not see each other\'s users', async () => {
      const admin = bench.another({ cookie: { name: '__Host-admin' } })
      const shop = await bench.signIn(bench.user, { label: 'shop' })
      const { cookie } = await visitOk(admin, undefined, (session) => session.signIn(bench.user, { label: 'admin' }))
      expect((await admin.listSessions(bench.user)).map(({ label }) => label)).toEqual(['admin'])
      expect(await bench.labelsOf(bench.user)).toEqual(['shop'])
      const { id } = (await list())[0]!
      await admin.revoke(bench.user, id)
      await admin.revokeAll(bench.user)
      expect(await live(shop)).toEqual([true])
      expect((await visitOk(admin, cookie, (session) => session.userId())).result).toBeUndefined()
    }) // prettier-ignore

    it.each(['current', 'except'] as const)('E9: %s of another manager, or of what is no session, is refused', async (option) => {
      const others = bench.another({ cookie: { name: '__Host-admin' } }).open(undefined)
      const twin = bench.another().open(undefined)
      const ask = (session: never) =>
        option === 'current'
          ? bench.manager.listSessions(bench.user, { current: session })
          : bench.manager.revokeAll(bench.user, { except: session })
      await bench.signIn(bench.user)
      const expected = `${option}: expected a session that this manager opened, got`
      await expect(ask(others as never)).rejects.toThrow(expected)
      await expect(ask('phone' as never)).rejects.toThrow(expected)
      await expect(ask(null as never)).rejects.toThrow(TypeError)
      await expect(ask(twin as never)).rejects.toThrow(SessionStateError)
      expect(await list()).toHaveLength(1)
    }) // prettier-ignore

    it('E9: without a session behind the cookie nothing is current, and nothing is excepted', async () => {
      const anonymous = await bench.begin({ n: 1 })
      await bench.signIn(bench.user)
      for (const cookie of [undefined, anonymous, `__Host-session=${'x'.repeat(43)}`]) {
        const current = bench.manager.open(cookie)
        const sessions = await bench.manager.listSessions(bench.user, { current })
        expect(sessions.map(({ isCurrent }) => isCurrent)).toEqual([false])
      }
      await bench.manager.revokeAll(bench.user, { except: bench.manager.open(anonymous) })
      expect(await list()).toEqual([])
    })

    it('E9: costs a load one round trip more, none without a user; neither mark nor list is renewed by it', async () => {
      const [mine, anonymous] = [await bench.signIn(bench.user), await bench.begin({ n: 1 })]
      const { record, mark } = await bench.keysOf(mine)
      await visitOk(bench.manager, mine, (session) => session.get('n'))
      expect(bench.store.operations).toEqual(['get', 'get'])
      expect(bench.store.keys).toEqual([record, mark])
      expect(bench.store.ttls).toEqual([HOUR])
      bench.forget()
      await bench.manager.listSessions(bench.user)
      expect([bench.store.keys, bench.store.ttls]).toEqual([[mark], []])
      bench.forget()
      await visitOk(bench.manager, anonymous, (session) => session.get('n'))
      expect(bench.store.operations).toEqual(['get'])
    })

    it('E10: 50 sign-ins at once, on two servers: 50 entries', async () => {
      const managers = [bench.another({ maxSessionsPerUser: 50 }), bench.another({ maxSessionsPerUser: 50 })]
      const cookies = await Promise.all(
        Array.from({ length: 50 }, async (_, index) =>
          visitOk(managers[index % 2]!, undefined, (session) => session.signIn(bench.user)).then(
            ({ cookie }) => cookie,
          ),
        ),
      )
      expect(await list()).toHaveLength(50)
      expect(await live(...cookies)).not.toContain(false)
    })
  })

  describe('ended', () => {
    it('E9, S61: one by its id, whose next request tells why; the others go on', async () => {
      const [phone, laptop] = [
        await bench.signIn(bench.user, { label: 'phone' }),
        await bench.signIn(bench.user, { label: 'laptop' }),
      ]
      const { id } = (await list()).find(({ label }) => label === 'phone')!
      bench.forget()
      await bench.manager.revoke(bench.user, id)
      expect(bench.events()).toEqual(['revoked'])
      expect(await live(phone, laptop)).toEqual([false, true])
      expect(await reasonOf(phone)).toBe('revoked')
      expect(await bench.labelsOf(bench.user)).toEqual(['laptop'])
    })

    it('E9: its token counts as unknown: it is never adopted, and a write begins anew', async () => {
      const phone = await bench.signIn(bench.user)
      await bench.aside.revokeAll(bench.user)
      bench.forget()
      const { setCookie, cookie } = await visitOk(bench.manager, phone, (session) => session.set('cart', ['rope']))
      expect(bench.events()).toEqual(['ended', 'created'])
      expect(setCookie).toBeDefined()
      expect(cookie).not.toBe(phone)
      expect(await bench.userOf(cookie)).toBeUndefined()
    }) // prettier-ignore

    it("E9: an id that is not listed, another user's, and one that was revoked already are a success that ends nothing", async () => {
      const [mine, others] = [await bench.signIn(bench.user), await bench.signIn(bench.other)]
      const { id } = (await list(bench.other))[0]!
      for (const wrong of [id, 'x'.repeat(22)]) await bench.manager.revoke(bench.user, wrong)
      expect(await live(mine, others)).toEqual([true, true])
      await bench.manager.revoke(bench.other, id)
      await bench.manager.revoke(bench.other, id)
      expect(await live(mine, others)).toEqual([true, false])
    })

    it('S66: what no list gave is refused, as the two arguments the wrong way round, and not repeated', async () => {
      await bench.signIn(bench.user)
      const { id } = (await list())[0]!
      for (const [user, none] of [[bench.user, ''], [bench.user, undefined], [bench.user, 1], [id, bench.user]]) {
        const error = await bench.manager.revoke(user as string, none as string).catch((each: unknown) => each)
        expect(error).toBeInstanceOf(TypeError)
        expect(String(error)).toMatch(/id: expected one that listSessions gave, after the user id; got/)
        expect(String(error)).not.toContain(bench.user)
      }
    }) // prettier-ignore

    it('E9, S15: all of a user, and nobody else; a sign-in right after works', async () => {
      const mine = [await bench.signIn(bench.user), await bench.signIn(bench.user), await bench.signIn(bench.user)]
      const others = await bench.signIn(bench.other)
      bench.forget()
      await bench.manager.revokeAll(bench.user)
      expect(bench.events()).toEqual(['revoked'])
      expect(await live(...mine, others)).toEqual([false, false, false, true])
      const again = await bench.signIn(bench.user, {}, mine[0])
      expect(await live(again, ...mine)).toEqual([true, false, false, false])
    }) // prettier-ignore

    it('E9, S15: all but this one, which need not have been read before', async () => {
      const [mine, second, third] = [await bench.signIn(bench.user), await bench.signIn(bench.user), await bench.signIn(bench.user)]
      await visitOk(bench.manager, mine, (session) => bench.manager.revokeAll(bench.user, { except: session }))
      expect(await live(mine, second!, third!)).toEqual([true, false, false])
      expect(await list()).toHaveLength(1)
    }) // prettier-ignore

    it.each([
      ['saved before', true],
      ['not yet saved', false],
    ])("E9: a password change: revokeAll but this one, and signIn in the same request, %s, keep this one alone", async (_, isSaved) => {
      const [mine, second] = [await bench.signIn(bench.user, { label: 'mine' }), await bench.signIn(bench.user)]
      const { cookie } = await visitOk(bench.manager, mine, async (session) => {
        session.signIn(bench.user)
        if (isSaved) await session.save()
        await bench.manager.revokeAll(bench.user, { except: session })
      })
      expect(await live(cookie, mine, second)).toEqual([true, false, false])
      expect(await bench.labelsOf(bench.user)).toEqual(['mine'])
    }) // prettier-ignore

    it.each([true, false])('E9: a sign-in without a session before it: revokeAll but this one ends all others; saved before: %j', async (isSaved) => {
      const before = await bench.signIn(bench.user)
      const { cookie } = await visitOk(bench.manager, undefined, async (session) => {
        session.signIn(bench.user)
        if (isSaved) await session.save()
        await bench.manager.revokeAll(bench.user, { except: session })
      })
      expect(await live(cookie, before)).toEqual([true, false])
    }) // prettier-ignore

    it('E9: a revocation is tried again on the newest list when a sign-in came between, and loses neither', async () => {
      const old = await bench.signIn(bench.user)
      let between: string | undefined
      bench.store.before = async (operation) => {
        if (operation !== 'replace' || between !== undefined) return
        between = ''
        between = (await visitOk(bench.aside, undefined, (session) => session.signIn(bench.user, { label: 'new' }))).cookie
      }
      const { id } = (await list())[0]!
      await bench.manager.revoke(bench.user, id)
      expect(bench.events()).toContain('conflict')
      expect(await live(old, between!)).toEqual([false, true])
      expect(await bench.labelsOf(bench.user)).toEqual(['new'])
    }) // prettier-ignore

    it('E9: a sign-in that was answered before a revocation began does not survive it, one begun after does', async () => {
      for (let round = 0; round < 10; round++) {
        const before = await bench.signIn(bench.user)
        const overlapping = bench.signIn(bench.user, { label: 'overlapping' })
        await bench.aside.revokeAll(bench.user)
        const after = await bench.signIn(bench.user)
        expect(await live(before, after)).toEqual([false, true])
        // It may have been ended or not; what it says and what is listed agree.
        const [isLive] = await live(await overlapping)
        expect((await bench.labelsOf(bench.user)).includes('overlapping')).toBe(isLive)
        await bench.aside.revokeAll(bench.user)
      }
    })

    it('E9: rejects when the store cannot be asked, and may be repeated', async () => {
      const mine = await bench.signIn(bench.user)
      for (const operation of ['get', 'replace'] as const) {
        bench.store.before = failing(operation, 2)
        await expect(bench.manager.revokeAll(bench.user)).rejects.toThrow(StoreUnavailableError)
        expect(await live(mine)).toEqual([true])
      }
      bench.store.before = failing('get')
      await expect(bench.manager.listSessions(bench.user)).rejects.toThrow(StoreUnavailableError)
      bench.forget()
      await bench.manager.revokeAll(bench.user)
      expect(await live(mine)).toEqual([false])
    })

    it.each<[string, (session: Session) => void, unknown]>([
      ['regenerateId', (session) => session.regenerateId(), SessionEndedError],
      ['signIn', (session) => session.signIn(bench.user), SessionEndedError],
      ['setTimeouts', (session) => session.setTimeouts({ absolute: DAY }), undefined],
    ])('E5: %s of a session that was revoked while the request held it: save() throws SessionEndedError, and no cookie', async (_, act, rejection) => {
      const mine = await bench.signIn(bench.user)
      const isSaved = await openRequest(bench.manager, mine, act)
      const isCommitted = await openRequest(bench.another(), mine, act)
      await bench.aside.revokeAll(bench.user)
      await expect(isSaved.session.save()).rejects.toThrow(SessionEndedError)
      bench.forget()
      const { error, setCookie } = await isCommitted.commit()
      expect(setCookie).toBeUndefined()
      expect(bench.events()).toContain('dropped')
      expect((error as Error | undefined)?.constructor).toBe(rejection)
      expect(await list()).toEqual([])
    }) // prettier-ignore

    it('E5: data that is written to it is read by nobody', async () => {
      const mine = await bench.signIn(bench.user)
      const request = await openRequest(bench.manager, mine, (session) => session.set('n', 1))
      await bench.aside.revokeAll(bench.user)
      expect(await request.commit()).toMatchObject({ error: undefined, setCookie: undefined })
      expect(await bench.read(mine)).toEqual({})
    })

    it('E5, E10: a sign-out leaves the list; one that cannot be told to it is told to the operator, and the session is over', async () => {
      const [mine, second] = [await bench.signIn(bench.user, { label: 'mine' }), await bench.signIn(bench.user, { label: 'second' })]
      await visitOk(bench.manager, mine, (session) => session.destroy())
      expect(await bench.labelsOf(bench.user)).toEqual(['second'])
      const { mark } = await bench.keysOf(second!)
      bench.store.before = (operation, key) => {
        if (operation === 'replace' && key === mark) throw new StoreUnavailableError('replace', new Error('tampered with'))
      }
      const { error, setCookie } = await visit(bench.manager, second, (session) => session.destroy())
      expect(error).toBeUndefined()
      expect(setCookie).toMatch(/Max-Age=0/)
      expect(bench.events()).toEqual(['loaded', 'store-error', 'store-error', 'destroyed'])
      expect(await live(second!)).toEqual([false])
    }) // prettier-ignore
  })

  describe('a mark', () => {
    it('E9: that is lost ends its sessions, tells why, and revives none', async () => {
      const mine = await bench.signIn(bench.user)
      const { mark } = await bench.keysOf(mine)
      await opened.current.delete(mark)
      expect(await reasonOf(mine)).toBe('mark-lost')
      const { setCookie } = await visitOk(bench.manager, mine, (session) => session.set('n', 1))
      expect(setCookie).toBeDefined()
      pass(1)
      const again = await bench.signIn(bench.user, { label: 'again' })
      expect(await live(mine, again)).toEqual([false, true])
      expect(await reasonOf(mine)).toBe('mark-lost')
      await bench.manager.revokeAll(bench.user)
      expect([await reasonOf(mine), await reasonOf(again)]).toEqual(['mark-lost', 'revoked'])
      await bench.signIn(bench.user, { label: 'again' })
      expect([await reasonOf(mine), await reasonOf(again)]).toEqual(['mark-lost', 'revoked'])
      expect(await bench.labelsOf(bench.user)).toEqual(['again'])
    })

    it("E9, G2: that is another user's, altered or nonsense ends its sessions, and the next sign-in replaces it", async () => {
      for (const forge of [
        async () => (await opened.current.get((await bench.keysOf(await bench.signIn(bench.other))).mark, undefined))!.bytes,
        async (bytes: Uint8Array) => bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1),
        async () => new Uint8Array([1, 2, 3]),
      ]) {
        const mine = await bench.signIn(bench.user)
        const { mark } = await bench.keysOf(mine)
        const { bytes } = (await opened.current.get(mark, undefined))!
        await opened.current.set(mark, await forge(bytes), DAY)
        expect(await reasonOf(mine)).toBe('mark-lost')
        expect(bench.events()).toContain('invalid')
        expect(await list()).toEqual([])
        const again = await bench.signIn(bench.user)
        expect(await live(mine, again)).toEqual([false, true])
        expect(await list()).toHaveLength(1)
      }
    }) // prettier-ignore

    it('E9, F1: that cannot be asked about is an outage, and the session lives on', async () => {
      const mine = await bench.signIn(bench.user)
      const { mark } = await bench.keysOf(mine)
      bench.store.before = (operation, key) => {
        if (key === mark) throw new StoreUnavailableError(operation, new Error('tampered with'))
      }
      const { result, setCookie } = await visit(bench.manager, mine, (session) => session.get('n').catch((error: unknown) => error))
      expect(result).toBeInstanceOf(StoreUnavailableError)
      expect(setCookie).toBeUndefined()
      expect(await live(mine)).toEqual([true])
    }) // prettier-ignore

    it('E9: is kept a day longer than the latest of its sessions can live, whatever became of that one', async () => {
      const ttlOf = async (work: () => Promise<unknown>) => {
        bench.forget()
        await work()
        return Math.max(...bench.store.ttls)
      }
      const mine = await bench.signIn(bench.user)
      expect(await ttlOf(() => bench.signIn(bench.user))).toBe(DAYS_14 + DAY)
      let long = ''
      expect(await ttlOf(async () => (long = await bench.signIn(bench.user, { absolute: 100 * DAY })))).toBe(101 * DAY)
      await visitOk(bench.aside, long, (session) => session.destroy())
      pass(24 * 60)
      expect(await ttlOf(() => bench.manager.revokeAll(bench.user))).toBe(100 * DAY)
      expect(await ttlOf(async () => bench.userOf(mine))).toBe(-Infinity)
    }) // prettier-ignore

    it('E9, M14: is never written by set, and always swapped right after it was read', async () => {
      const mine = await bench.signIn(bench.user)
      const { record, mark } = await bench.keysOf(mine)
      const act = bench.another({ maxSessionsPerUser: 2 })
      const inTurn = async (session: Session, work: () => void) => {
        work()
        await session.save()
      }
      await visitOk(act, mine, async (session) => {
        await session.userId()
        await inTurn(session, () => session.setTimeouts({ absolute: DAY }))
        await inTurn(session, () => session.signIn(bench.user))
        await inTurn(session, () => session.signIn(bench.other))
        await inTurn(session, () => session.signIn(bench.user))
      })
      for (let index = 0; index < 3; index++) await visitOk(act, undefined, (session) => session.signIn(bench.user))
      await act.revokeAll(bench.user)
      const ofMark = bench.store.keys.flatMap((key, index) => (key === mark ? [bench.store.operations[index]!] : []))
      expect(ofMark.length).toBeGreaterThan(10)
      expect(bench.store.operations).not.toContain('set')
      expect(ofMark.join(' ')).not.toMatch(/(^|replace |add )(replace|add|delete)/)
      // Nor is anything asked between the two.
      bench.store.keys.forEach((key, index) => {
        if (key === mark && bench.store.operations[index] !== 'get') expect(bench.store.keys[index - 1]).toBe(mark)
      })
      expect(bench.store.keys).toContain(record)
    }) // prettier-ignore
  })

  describe('the cap', () => {
    it('E9, S62: one sign-in more ends the one not seen longest, whose next request tells why', async () => {
      const manager = bench.another({ maxSessionsPerUser: 3 })
      const signIn = async (label: string) => {
        pass(1)
        return (await visitOk(manager, undefined, (session) => session.signIn(bench.user, { label }))).cookie
      }
      const [one, two, three] = [await signIn('one'), await signIn('two'), await signIn('three')]
      pass(15)
      await bench.userOf(one!)
      pass(1)
      await bench.userOf(three!)
      const four = await signIn('four')
      expect(await reasonOf(two!)).toBe('revoked')
      expect(await live(one!, two!, three!, four)).toEqual([true, false, true, true])
      expect((await bench.labelsOf(bench.user)).toSorted()).toEqual(['four', 'one', 'three'])
    })

    it('S62: is 20 where nobody says otherwise', async () => {
      for (let index = 0; index < 21; index++) {
        pass(1)
        await bench.signIn(bench.user, { label: `device ${index}` })
      }
      const labels = await bench.labelsOf(bench.user)
      expect([labels.length, labels.at(-1)]).toEqual([20, 'device 1'])
    })

    it('E9, S62: of 1: one device at a time, and never its own', async () => {
      const manager = bench.another({ maxSessionsPerUser: 1 })
      let before: string | undefined
      for (const label of ['one', 'two', 'three']) {
        const { cookie } = await visitOk(manager, undefined, (session) =>
          session.signIn(bench.user, { label }),
        )
        expect(await bench.labelsOf(bench.user)).toEqual([label])
        expect(await live(cookie)).toEqual([true])
        if (before) expect(await reasonOf(before)).toBe('revoked')
        before = cookie
      }
      const { cookie } = await visitOk(manager, before, (session) => session.signIn(bench.user))
      expect(await live(cookie)).toEqual([true])
    })

    it('E9: never its own, although a clock makes it look like the oldest', async () => {
      const manager = bench.another({ maxSessionsPerUser: 1 })
      const first = await bench.signIn(bench.user)
      pass(-30)
      const { cookie } = await visitOk(manager, undefined, (session) => session.signIn(bench.user))
      expect(await live(first, cookie)).toEqual([false, true])
    })

    it('E10: what has run out makes room first: past its end, or not seen for its own idle timeout and ten minutes', async () => {
      const manager = bench.another({ maxSessionsPerUser: 3 })
      const signIn = async (label: string, options = {}) =>
        (await visitOk(manager, undefined, (session) => session.signIn(bench.user, { label, ...options })))
          .cookie
      const patient = await signIn('patient', { idle: DAY })
      pass(1)
      await signIn('short', { idle: DAY, absolute: 3 * HOUR })
      pass(1)
      await signIn('idle')
      // An hour and ten minutes later one is out of the list, and four hours later two; the patient one was seen before both.
      pass(70)
      expect(await bench.labelsOf(bench.user)).toEqual(['short', 'patient'])
      const fourth = await signIn('fourth', { idle: DAY })
      expect((await bench.labelsOf(bench.user)).toSorted()).toEqual(['fourth', 'patient', 'short'])
      pass(180)
      const fifth = await signIn('fifth')
      expect((await bench.labelsOf(bench.user)).toSorted()).toEqual(['fifth', 'fourth', 'patient'])
      expect(await live(patient, fourth, fifth)).toEqual([true, true, true])
    })

    it('E9: is that of the manager that signs in', async () => {
      for (let index = 0; index < 5; index++) await bench.signIn(bench.user)
      expect(await list()).toHaveLength(5)
      await visitOk(bench.another({ maxSessionsPerUser: 2 }), undefined, (session) =>
        session.signIn(bench.user),
      )
      expect(await list()).toHaveLength(2)
    })

    it('E9: is applied last: until the old token is dead nobody else is ended', async () => {
      const manager = bench.another({ maxSessionsPerUser: 1 })
      const phone = await bench.signIn(bench.user)
      const anonymous = await bench.begin({ n: 1 })
      const { record } = await bench.keysOf(phone)
      const { mark } = await bench.keysOf(phone)
      bench.store.before = (operation, key) => {
        if (operation === 'replace' && ![record, mark].includes(key)) throw new StoreUnavailableError('replace', new Error('tampered with'))
      }
      const { error } = await visit(manager, anonymous, (session) => session.signIn(bench.user))
      expect(error).toBeInstanceOf(StoreUnavailableError)
      expect(await live(phone)).toEqual([true])
    }) // prettier-ignore

    it('E9: that cannot be applied is told, and the sign-in stands', async () => {
      const manager = bench.another({ maxSessionsPerUser: 1 })
      await bench.signIn(bench.user)
      let writes = 0
      bench.store.before = (operation) => {
        if (operation === 'replace' && ++writes > 1) throw new StoreUnavailableError('replace', new Error('tampered with'))
      }
      bench.lastEvents.length = 0
      const { cookie } = await visitOk(manager, undefined, (session) => session.signIn(bench.user))
      expect(bench.events()).toContain('store-error')
      expect(await live(cookie)).toEqual([true])
    }) // prettier-ignore
  })

  describe('seen', () => {
    it('E10: lastSeenAt moves when it is ten minutes old, by one swap that the load waits for', async () => {
      const cookie = await bench.signIn(bench.user)
      const { record, mark } = await bench.keysOf(cookie)
      const seenAt = async () => (await list())[0]!.lastSeenAt
      const start = await seenAt()
      bench.clock.ms += 599_999
      await visitOk(bench.manager, cookie, (session) => session.exists())
      expect(bench.store.operations).toEqual(['get', 'get'])
      expect(await seenAt()).toBe(start)
      bench.clock.ms += 1
      bench.forget()
      let isSwapped = false
      bench.store.before = (operation) => operation === 'replace' && new Promise((resolve) => setTimeout(resolve, 20))
      bench.store.after = (operation) => (isSwapped ||= operation === 'replace')
      const session = bench.manager.open(cookie)
      await session.exists()
      expect(isSwapped).toBe(true)
      expect(bench.store.operations).toEqual(['get', 'get', 'replace'])
      expect(bench.store.keys).toEqual([record, mark, mark])
      expect(await seenAt()).toBe(start + 600_000)
      bench.forget()
      await visitOk(bench.manager, cookie, (next) => next.exists())
      expect(bench.store.operations).toEqual(['get', 'get'])
    }) // prettier-ignore

    it.each<[string, 'before' | 'after']>([
      ['fails', 'before'],
      ['gets no reply', 'after'],
    ])('E10: a swap that %s is ignored: the read answers, and the next one tries again', async (_, stage) => {
      const cookie = await bench.signIn(bench.user)
      pass(10)
      bench.forget()
      bench.store[stage] = failing('replace')
      const { result } = await visitOk(bench.manager, cookie, (session) => session.userId())
      expect(result).toBe(bench.user)
      expect(bench.store.count('replace')).toBe(1)
      bench.forget()
      await visitOk(bench.manager, cookie, (session) => session.userId())
      expect((await list())[0]!.lastSeenAt).toBe(bench.clock.ms)
    })

    it('E10: one that comes second is not repeated, and takes nothing from the one that was first', async () => {
      const [cookie, second] = [
        await bench.signIn(bench.user, { label: 'mine' }),
        await bench.signIn(bench.user),
      ]
      const { mark } = await bench.keysOf(cookie)
      pass(10)
      let isFirst = true
      bench.store.before = async (operation) => {
        if (operation !== 'replace' || !isFirst) return
        isFirst = false
        await visitOk(bench.aside, second, (session) => session.destroy())
      }
      await visitOk(bench.manager, cookie, (session) => session.exists())
      expect(bench.store.keys.filter((key) => key === mark)).toHaveLength(2)
      expect(await bench.labelsOf(bench.user)).toEqual(['mine'])
    })
  })

  describe('and clocks', () => {
    it('E10: no clock ends a session that the store still has: not its idle timeout, not one of a server ahead', async () => {
      const mine = await bench.signIn(bench.user)
      const ahead = createSessionManager({
        store: bench.store, secret: TEST_SECRET, idleTimeout: HOUR, absoluteTimeout: DAYS_14,
        now: () => bench.clock.ms + DAYS_14 * 1000 + 23 * HOUR * 1000, onEvent: () => {},
      }) // prettier-ignore
      expect(await ahead.listSessions(bench.user)).toEqual([])
      await visitOk(ahead, undefined, (session) => session.signIn(bench.user))
      await ahead.revoke(bench.user, 'x'.repeat(22))
      expect(await live(mine)).toEqual([true])
      pass(3 * 60)
      expect(await live(mine)).toEqual([true])
      expect(await list()).toHaveLength(2)
    })

    it('E10: an entry is out of the listing once its session has run out, and out of the list a day after its end', async () => {
      const mine = await bench.signIn(bench.user, { idle: false })
      const { record, mark } = await bench.keysOf(mine)
      const sizeOfMark = async () => (await opened.current.get(mark, undefined))!.bytes.length
      await bench.signIn(bench.user, { idle: false })
      const two = await sizeOfMark()
      // An orphan: nothing is left of its session.
      await opened.current.delete(record)
      bench.clock.ms += DAYS_14 * 1000 - 1
      expect(await list()).toHaveLength(2)
      bench.clock.ms += 1
      expect(await list()).toEqual([])
      bench.clock.ms += DAY * 1000 - 1
      await bench.signIn(bench.user, { idle: false })
      expect(await sizeOfMark()).toBeGreaterThan(two)
      bench.clock.ms += 1
      await bench.signIn(bench.user, { idle: false })
      expect(await sizeOfMark()).toBe(two)
    })

    it('E10: one that was not seen for its idle timeout and ten minutes is left out, by the timeout that it has itself', async () => {
      await bench.signIn(bench.user, { label: 'usual' })
      await bench.signIn(bench.user, { label: 'patient', idle: 2 * HOUR })
      await bench.signIn(bench.user, { label: 'for ever', idle: false })
      pass(69.99)
      expect(await list()).toHaveLength(3)
      pass(0.01)
      expect((await bench.labelsOf(bench.user)).toSorted()).toEqual(['for ever', 'patient'])
      pass(60)
      expect(await bench.labelsOf(bench.user)).toEqual(['for ever'])
    })

    it('E10: setTimeouts moves the entry, too: what is prolonged stays listed, what is cut short leaves', async () => {
      const [long, short] = [await bench.signIn(bench.user, { label: 'long' }), await bench.signIn(bench.user, { label: 'short' })]
      await visitOk(bench.manager, long, (session) => session.setTimeouts({ absolute: 100 * DAY, idle: false }))
      await visitOk(bench.manager, short!, (session) => session.setTimeouts({ absolute: HOUR }))
      pass(60)
      expect(await bench.labelsOf(bench.user)).toEqual(['long'])
      pass(99 * 24 * 60)
      expect(await bench.labelsOf(bench.user)).toEqual(['long'])
    }) // prettier-ignore
  })

  describe('under two secrets', () => {
    const newer = `${TEST_SECRET}, the next one`
    const managerOf = (secret: string | string[], maxSessionsPerUser = 20) =>
      bench.another({ secret, maxSessionsPerUser })
    const signInBy = async (manager: ReturnType<typeof managerOf>, label: string) => {
      pass(1)
      return (await visitOk(manager, undefined, (session) => session.signIn(bench.user, { label }))).cookie
    }
    const labels = async (manager: ReturnType<typeof managerOf>) =>
      (await manager.listSessions(bench.user)).map(({ label }) => label)

    it('E9, G3: lists and revokes under every listed secret, and lists new ones under the first', async () => {
      const [before, during, after] = [managerOf(TEST_SECRET), managerOf([newer, TEST_SECRET]), managerOf(newer)]
      const old = await signInBy(before, 'old')
      const young = await signInBy(during, 'young')
      expect(await labels(during)).toEqual(['young', 'old'])
      expect([await labels(before), await labels(after)]).toEqual([['old'], ['young']])
      const [youngId, oldId] = (await during.listSessions(bench.user)).map(({ id }) => id)
      await during.revoke(bench.user, oldId!)
      expect(await reasonOf(old, before)).toBe('revoked')
      expect(await labels(during)).toEqual(['young'])
      await signInBy(before, 'old again')
      const isLive = async () => (await visitOk(during, young, (session) => session.exists())).result
      await during.revokeAll(bench.user, { except: during.open(young) })
      expect([await isLive(), await labels(during)]).toEqual([true, ['young']])
      await during.revoke(bench.user, youngId!)
      expect([await isLive(), await labels(during)]).toEqual([false, []])
    }) // prettier-ignore

    it('E9, G3: when one of the lists cannot be changed the call rejects, and may be repeated', async () => {
      const [before, during] = [managerOf(TEST_SECRET), managerOf([newer, TEST_SECRET])]
      const old = await signInBy(before, 'old')
      await signInBy(during, 'young')
      const { mark } = await bench.keysOf(old)
      bench.store.before = (operation, key) => {
        if (key === mark) throw new StoreUnavailableError(operation, new Error('tampered with'))
      }
      await expect(during.revokeAll(bench.user)).rejects.toThrow(StoreUnavailableError)
      await expect(during.listSessions(bench.user)).rejects.toThrow(StoreUnavailableError)
      bench.forget()
      expect(await labels(during)).toContain('old')
      await during.revokeAll(bench.user)
      expect(await labels(during)).toEqual([])
    })

    it('E9, G3, S62: the cap counts and ends those of every listed secret', async () => {
      const before = managerOf(TEST_SECRET)
      const [one, two] = [await signInBy(before, 'one'), await signInBy(before, 'two')]
      const during = managerOf([newer, TEST_SECRET], 2)
      await signInBy(during, 'three')
      expect(await labels(during)).toEqual(['three', 'two'])
      expect(await reasonOf(one, during)).toBe('revoked')
      await signInBy(during, 'four')
      expect(await labels(during)).toEqual(['four', 'three'])
      expect(await reasonOf(two, before)).toBe('revoked')
      const alone = managerOf([newer, TEST_SECRET], 1)
      await signInBy(alone, 'five')
      expect(await labels(during)).toEqual(['five'])
    })

    it('G3: a session keeps its mark for life: it is sealed anew, and ends when the secret of its mark goes', async () => {
      const cookie = await signInBy(managerOf(TEST_SECRET), 'old')
      const during = managerOf([newer, TEST_SECRET])
      await visitOk(during, cookie, (session) => session.setTimeouts({ absolute: 100 * DAY }))
      const { cookie: regenerated } = await visitOk(during, cookie, (session) => session.regenerateId())
      expect((await visitOk(during, regenerated, (session) => session.userId())).result).toBe(bench.user)
      expect(await labels(managerOf(TEST_SECRET))).toEqual(['old'])
      expect(await reasonOf(regenerated, managerOf(newer))).toBe('mark-lost')
    })
  })
})
