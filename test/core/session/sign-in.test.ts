import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import {
  createSessionManager,
  MemoryStore,
  StoreUnavailableError,
  type Session,
  type SessionStore,
  type SignInOptions,
  type UserSession,
} from '../../../src/core/index.ts'
import { MemcachedStore } from '../../../src/core/stores/memcached/memcached-store.ts'
import { dump } from '../../attacks/intruder.ts'
import { useServers } from '../../support/servers.ts'
import { secret, stores } from '../../support/stores.ts'
import { failing, TamperedStore } from '../../support/tampered-store.ts'
import { useUsers } from '../../support/users.ts'
import { tokenOf, visit, visitOk } from '../../support/visit.ts'

const HOUR = 3_600
const DAY = 86_400
const DAYS_14 = 14 * DAY

describe.each(stores)('signIn on $name', ({ open }) => {
  const bench = useUsers(open(), { idleTimeout: HOUR, absoluteTimeout: DAYS_14 })

  const isLive = async (cookie: string) =>
    (await visitOk(bench.manager, cookie, (session) => session.exists())).result
  const maxAgeOf = (setCookie: string | undefined) => /Max-Age=(\d+)/.exec(setCookie ?? '')?.[1]

  it('E11: makes a session of its own accord, without data', async () => {
    const { cookie, setCookie } = await visitOk(bench.manager, undefined, (session) =>
      session.signIn(bench.user),
    )
    expect(setCookie).toContain('__Host-session=')
    expect(bench.events()).toEqual(['signed-in'])
    expect(await bench.userOf(cookie)).toBe(bench.user)
    expect(await bench.read(cookie)).toEqual({})
  })

  it('E11, S7: over an anonymous session: a new token, the old one dead at once, and the cart comes along', async () => {
    const anonymous = await bench.begin({ cart: ['rope'] })
    const cookie = await bench.signIn(bench.user, { keep: [] }, anonymous)
    expect(cookie).not.toBe(anonymous)
    expect([await isLive(anonymous), await isLive(cookie)]).toEqual([false, true])
    expect(await bench.read(cookie)).toEqual({ cart: ['rope'] })
  })

  it.each([0, 1, 2, 3])('E9: one that is called while a save is at its step %i is not lost, and the last one counts', async (step) => {
    const { cookie } = await visitOk(bench.manager, undefined, async (session) => {
      session.signIn(bench.other)
      session.set('a', 1)
      let begun = 0
      const signInAgain = () => {
        session.signIn(bench.user)
        session.set('b', 1)
      }
      bench.store.before = () => {
        if (++begun === step) signInAgain()
      }
      const save = session.save()
      if (step === 0) signInAgain()
      await save
      bench.forget()
    })
    expect(await bench.userOf(cookie)).toBe(bench.user)
    expect(await bench.read(cookie)).toEqual({ b: 1 })
    expect([await bench.labelsOf(bench.other), await bench.labelsOf(bench.user)]).toEqual([[], [undefined]])
  }) // prettier-ignore

  describe('the timeouts of a session that begins', () => {
    it('C2, S13: the absolute one is counted from the call of signIn, not from the session before', async () => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      bench.clock.ms += 13 * DAY * 1000
      const { cookie, setCookie } = await visitOk(bench.manager, anonymous, (session) => {
        session.signIn(bench.user)
        bench.clock.ms += 2 * HOUR * 1000
      })
      expect(maxAgeOf(setCookie)).toBe(String(DAYS_14 - 2 * HOUR))
      bench.clock.ms += (DAYS_14 - 2 * HOUR - 1) * 1000
      expect(await isLive(cookie)).toBe(true)
      bench.clock.ms += 1000
      expect(await isLive(cookie)).toBe(false)
    })

    it('C2: nothing but signIn and setTimeouts moves it: not what is set, not regenerateId', async () => {
      const first = await bench.signIn(bench.user)
      bench.clock.ms += 13 * DAY * 1000
      await visitOk(bench.manager, first, (session) => session.update('n', (n: number = 0) => n + 1))
      const { cookie, setCookie } = await visitOk(bench.manager, first, (session) => session.regenerateId())
      expect(maxAgeOf(setCookie)).toBe(String(DAY))
      bench.clock.ms += DAY * 1000 - 1000
      expect(await isLive(cookie)).toBe(true)
      bench.clock.ms += 1000
      bench.forget()
      expect(await isLive(cookie)).toBe(false)
      expect(bench.events()).toEqual(['expired'])
    })

    it('C2: signing in again over the own session counts it anew', async () => {
      const first = await bench.signIn(bench.user)
      bench.clock.ms += 13 * DAY * 1000
      const second = await bench.signIn(bench.user, {}, first)
      bench.clock.ms += (DAYS_14 - 1) * 1000
      expect(await isLive(second)).toBe(true)
    })

    it.each(['anonymous', 'own', "another's"])(
      'C5: nothing of "remember me" is left over from a session before that was %s',
      async (before) => {
        const remember = { idle: 10 * DAY, absolute: 100 * DAY, persistent: false }
        const { cookie: remembered, setCookie: first } = await visitOk(
          bench.manager,
          undefined,
          (session) => {
            session.set('theme', 'dark')
            if (before === 'anonymous') session.setTimeouts(remember)
            else session.signIn(before === 'own' ? bench.user : bench.other, remember)
          },
        )
        expect(maxAgeOf(first)).toBeUndefined()
        bench.forget()
        await visitOk(bench.manager, remembered, (session) => session.get('theme'))
        expect(bench.store.ttls).toEqual([HOUR, 10 * DAY])
        const { cookie, setCookie } = await visitOk(bench.manager, remembered, (session) =>
          session.signIn(bench.user),
        )
        expect(maxAgeOf(setCookie)).toBe(String(DAYS_14))
        bench.forget()
        expect(await isLive(cookie)).toBe(true)
        expect(bench.store.ttls).toEqual([HOUR])
        bench.clock.ms += DAYS_14 * 1000
        expect(await isLive(cookie)).toBe(false)
      },
    )

    it('C5: signIn takes timeouts of its own, which loads, saves and regenerateId leave alone', async () => {
      const remember = { idle: 10 * DAY, absolute: 100 * DAY, persistent: true }
      const first = await bench.signIn(bench.user, remember)
      await visitOk(bench.manager, first, (session) => session.set('n', 1))
      const { cookie, setCookie } = await visitOk(bench.manager, first, (session) => session.regenerateId())
      expect(maxAgeOf(setCookie)).toBe(String(100 * DAY))
      bench.forget()
      expect(await isLive(cookie)).toBe(true)
      expect(bench.store.ttls).toEqual([HOUR, 10 * DAY])
      bench.clock.ms += (100 * DAY - 1) * 1000
      expect(await isLive(cookie)).toBe(true)
    })

    it('C5: setTimeouts before signIn is superseded, after it counts', async () => {
      const before = await visitOk(bench.manager, undefined, (session) => {
        session.setTimeouts({ idle: 2 * HOUR, absolute: 100 * DAY, persistent: false })
        session.signIn(bench.user)
      })
      expect(maxAgeOf(before.setCookie)).toBe(String(DAYS_14))
      const after = await visitOk(bench.manager, undefined, (session) => {
        session.signIn(bench.user, { idle: 2 * HOUR })
        session.setTimeouts({ absolute: 100 * DAY })
      })
      expect(maxAgeOf(after.setCookie)).toBe(String(100 * DAY))
      bench.forget()
      for (const { cookie } of [before, after]) expect(await isLive(cookie)).toBe(true)
      // What the later call did not name stays as signIn had it.
      expect(bench.store.ttls).toEqual([HOUR, HOUR, 2 * HOUR])
    })

    it("C5: setTimeouts on a user's session sends the cookie again, with the same token, and changes nothing else", async () => {
      const cookie = await bench.signIn(bench.user, { idle: 2 * HOUR })
      const changed = await visitOk(bench.manager, cookie, (session) =>
        session.setTimeouts({ absolute: 30 * DAY }),
      )
      expect(changed.cookie).toBe(cookie)
      expect(maxAgeOf(changed.setCookie)).toBe(String(30 * DAY))
      bench.forget()
      expect(await bench.userOf(cookie)).toBe(bench.user)
      expect(await isLive(cookie)).toBe(true)
      expect(bench.store.ttls).toEqual([HOUR, 2 * HOUR])
    })

    it("C5: an idle timeout that is shorter than the manager's is refused, and names what to do", async () => {
      const { result } = await visitOk(bench.manager, undefined, async (session) => {
        const message = `idle: expected at least the manager's ${HOUR} seconds, got 60; for a stricter area make a manager of its own`
        for (const call of [
          () => session.signIn(bench.user, { idle: 60 }),
          () => session.setTimeouts({ idle: 60 }),
        ]) {
          expect(call).toThrow(new RangeError(message))
        }
        return session.userId()
      })
      expect(result).toBeUndefined()
      const withoutIdle = bench.another({ idleTimeout: false }).open(undefined)
      expect(() => withoutIdle.signIn(bench.user, { idle: 60 })).toThrow(
        /^idle: expected false, as the manager has it, got 60/,
      )
    })
  })

  describe("over another's session", () => {
    const beginAsOther = async () => {
      const { cookie } = await visitOk(bench.manager, undefined, (session) => {
        session.signIn(bench.other)
        session.set('cart', ['rope'])
        session.set('theme', { name: 'dark' })
        session.set('n', 1)
      })
      bench.forget()
      return cookie
    }

    it('E11, S64: only what keep names comes along', async () => {
      const others = await beginAsOther()
      const cookie = await bench.signIn(bench.user, { keep: ['theme', 'missing'] }, others)
      expect(await bench.read(cookie)).toEqual({ theme: { name: 'dark' } })
      expect(await bench.userOf(cookie)).toBe(bench.user)
      expect(await isLive(others)).toBe(false)
      const again = await bench.signIn(bench.other, {}, cookie)
      expect(await bench.read(again)).toEqual({})
    })

    it("E11: the user's own session keeps all, whatever keep says", async () => {
      const others = await beginAsOther()
      const cookie = await bench.signIn(bench.other, { keep: ['theme'] }, others)
      expect(await bench.read(cookie)).toEqual({ cart: ['rope'], theme: { name: 'dark' }, n: 1 })
    })

    it.each([
      ['the session was loaded before', true],
      ['it is loaded later', false],
    ])('E11: what the request set before is gone, too, when %s', async (_, isLoadedBefore) => {
      const others = await beginAsOther()
      const { cookie, result } = await visitOk(bench.manager, others, async (session) => {
        if (isLoadedBefore) await session.exists()
        session.set('draft', 'mine?')
        session.set('cart', ['ladder'])
        session.set('theme', { name: 'light' })
        session.signIn(bench.user, { keep: ['theme'] })
        session.set('since', 1)
        expect(await session.get('draft')).toBeUndefined()
        expect([await session.has('cart'), await session.has('n')]).toEqual([false, false])
        return session.entries()
      })
      expect(result).toEqual({ theme: { name: 'light' }, since: 1 })
      expect(await bench.read(cookie)).toEqual({ theme: { name: 'light' }, since: 1 })
    })

    it.each([true, false])(
      'E11: what it had begun and not waited for leaves nothing behind, loaded before: %j',
      async (isLoadedBefore) => {
        const others = await beginAsOther()
        const { cookie } = await visitOk(bench.manager, others, async (session) => {
          if (isLoadedBefore) await session.exists()
          const updated = session.update('cart', (cart: string[] = []) => [...cart, 'ladder'])
          const taken = session.take('n')
          const kept = session.update('theme', (theme: { name: string }) => ({ ...theme, size: 1 }))
          session.signIn(bench.user, { keep: ['theme'] })
          await Promise.all([updated, taken])
          const theme = await kept
          expect(await session.entries()).toEqual({ theme: { name: 'dark', size: 1 } })
          theme.name = 'light'
          ;((await session.get('cart')) as string[] | undefined)?.push('from the other')
        })
        expect(await bench.read(cookie)).toEqual({ theme: { name: 'light', size: 1 } })
      },
    )

    it('E11: no read is needed for that, and a save in between keeps to it', async () => {
      for (const isSaved of [false, true]) {
        const others = await beginAsOther()
        const { cookie } = await visitOk(bench.manager, others, async (session) => {
          session.set('draft', 'mine?')
          session.signIn(bench.user)
          session.set('since', 1)
          if (isSaved) await session.save()
          session.set('later', 2)
        })
        expect(await bench.read(cookie)).toEqual({ since: 1, later: 2 })
      }
    })

    it('E11: values that were handed out before are gone, whenever they are changed; one that is kept still counts', async () => {
      const others = await beginAsOther()
      const { cookie } = await visitOk(bench.manager, others, async (session) => {
        const cart = (await session.get('cart')) as string[]
        const { theme } = (await session.entries()) as { theme: { name: string } }
        cart.push('before')
        session.signIn(bench.user, { keep: ['theme'] })
        cart.push('after')
        theme.name = 'light'
        expect(await session.get('cart')).toBeUndefined()
        await session.save()
        cart.push('after the save')
      })
      expect(await bench.read(cookie)).toEqual({ theme: { name: 'light' } })
    })

    it('E11: an object that was set before the load is gone, although it is changed after it', async () => {
      const others = await beginAsOther()
      const { cookie } = await visitOk(bench.manager, others, async (session) => {
        const draft = ['mine?']
        session.set('draft', draft)
        session.signIn(bench.user)
        draft.push('no')
        await session.get('cart')
        draft.push('never')
      })
      expect(await bench.read(cookie)).toEqual({})
    })

    it.each([false, true])('E11: so is what a first sign-in of the same request brought along for another; saved in between: %j', async (isSaved) => {
      const anonymous = await bench.begin({ cart: ['rope'] })
      const { cookie } = await visitOk(bench.manager, anonymous, async (session) => {
        session.signIn(bench.other)
        session.set('note', "the other's")
        if (isSaved) await session.save()
        session.signIn(bench.user)
        session.set('since', 1)
      })
      expect(await bench.read(cookie)).toEqual({ since: 1 })
      expect(await bench.userOf(cookie)).toBe(bench.user)
      expect(await bench.labelsOf(bench.other)).toEqual([])
    }) // prettier-ignore

    it('E11, E1: what another request writes to the session meanwhile does not come along, either', async () => {
      const others = await beginAsOther()
      const { cookie } = await visitOk(bench.manager, others, async (session) => {
        await session.get('theme')
        await visitOk(bench.aside, others, (slow) => slow.set('cart', ['ladder']))
        session.signIn(bench.user, { keep: ['theme'] })
      })
      expect(await bench.read(cookie)).toEqual({ theme: { name: 'dark' } })
    })
  })

  describe('userId', () => {
    it('E9: is that of the pending sign-in, and then of the session; none after a sign-out', async () => {
      const anonymous = await bench.begin({ n: 1 })
      const { result, cookie } = await visitOk(bench.manager, anonymous, async (session) => {
        const seen = [await session.userId()]
        session.signIn(bench.other)
        seen.push(await session.userId())
        session.signIn(bench.user)
        seen.push(await session.userId())
        await session.save()
        seen.push(await session.userId())
        return seen
      })
      expect(result).toEqual([undefined, bench.other, bench.user, bench.user])
      const after = await visitOk(bench.manager, cookie, async (session) => {
        const seen = [await session.userId()]
        session.destroy()
        seen.push(await session.userId())
        session.signIn(bench.other)
        seen.push(await session.userId())
        return seen
      })
      expect(after.result).toEqual([bench.user, undefined, bench.other])
      expect(await bench.userOf(after.cookie)).toBe(bench.other)
    })

    it('E9: asks the store no more than a read does, and nothing for a sign-in that is pending', async () => {
      const cookie = await bench.signIn(bench.user)
      bench.forget()
      await visitOk(bench.manager, cookie, async (session) => {
        await session.userId()
        await session.get('n')
      })
      expect(bench.store.operations).toEqual(['get', 'get'])
      bench.forget()
      const session = bench.manager.open(cookie)
      session.signIn(bench.user)
      expect(await session.userId()).toBe(bench.user)
      expect(bench.store.operations).toEqual([])
    })

    it('E9, F1: an outage is no stranger', async () => {
      const cookie = await bench.signIn(bench.user)
      bench.store.before = failing('get')
      const { result } = await visit(bench.manager, cookie, (session) =>
        session.userId().catch((error: unknown) => error),
      )
      expect(result).toBeInstanceOf(StoreUnavailableError)
    })
  })

  describe('what cannot be', () => {
    const SECRET_ID = 'alice@example.com'

    it.each<[string, unknown, SignInOptions | undefined, string]>([
      ['an empty user id', '', {}, 'userId: expected a string that is not empty, got an empty one'],
      ['no user id', undefined, {}, 'userId: expected a string that is not empty, got undefined'],
      ['a number', 4_711, {}, 'userId: expected a string that is not empty, got a number'],
      ['an object', { id: SECRET_ID }, {}, 'userId: expected a string that is not empty, got an object'],
      ['keep that is no list', SECRET_ID, { keep: 'cart' as never }, 'keep: expected a list of keys, got "cart"'],
      ['keep of what are no keys', SECRET_ID, { keep: [1] as never }, 'keep: expected a list of keys, got an array'],
      ['a label that is none', SECRET_ID, { label: 5 as never }, 'label: expected a string of at most 64 characters, got a number'],
      ['an option that is misspelt', SECRET_ID, { labl: 'x' } as never, 'signIn: expected label, keep, idle, absolute, persistent; got labl'],
      ['options that are none', SECRET_ID, 'Firefox' as never, 'signIn: expected a plain object, got a string'],
      ['persistent that is none', SECRET_ID, { persistent: 1 as never }, 'persistent: expected true or false, got 1'],
    ])('E9: %s is a TypeError that names what was expected, and no user', async (_, id, options, message) => {
      const { cookie } = await visitOk(bench.manager, undefined, async (session) => {
        session.set('n', 1)
        expect(() => session.signIn(id as string, options)).toThrow(new TypeError(message))
        expect(await session.userId()).toBeUndefined()
      })
      expect(message).not.toMatch(/alice|4711/)
      expect(await bench.read(cookie)).toEqual({ n: 1 })
      expect(await bench.userOf(cookie)).toBeUndefined()
    }) // prettier-ignore

    it('E10: a label is at most 64 characters, whatever they take in bytes', async () => {
      const session = bench.manager.open(undefined)
      const expected = new RangeError('label: expected a string of at most 64 characters, got 65')
      for (const letter of ['x', '🙂']) {
        expect(() => session.signIn(bench.user, { label: letter.repeat(65) })).toThrow(expected)
        await bench.signIn(bench.user, { label: letter.repeat(64) })
      }
      expect((await bench.labelsOf(bench.user)).toSorted()).toEqual(['x'.repeat(64), '🙂'.repeat(64)])
    })

    it('C5: absolute is at most 400 days', () => {
      const session = bench.manager.open(undefined)
      for (const absolute of [0, 34_560_001, 1.5]) {
        expect(() => session.signIn(bench.user, { absolute })).toThrow(RangeError)
      }
    })

    it.each(['', undefined, 4_711, { id: SECRET_ID }])(
      'E9: so it is to whoever lists or revokes for %j',
      async (id) => {
        const refused =
          /^userId: expected a string that is not empty, got (an empty one|undefined|a number|an object)$/
        await expect(bench.manager.listSessions(id as string)).rejects.toThrow(refused)
        await expect(bench.manager.revoke(id as string, 'x')).rejects.toThrow(refused)
        await expect(bench.manager.revokeAll(id as string)).rejects.toThrow(refused)
        expect(bench.store.operations).toEqual([])
      },
    )

    it.each([0, 101, 1.5, '20'])('S62: a cap of %j is none', (maxSessionsPerUser) => {
      const make = () => createSessionManager({ maxSessionsPerUser: maxSessionsPerUser as number })
      expect(make).toThrow(/^maxSessionsPerUser: expected a whole number from 1 to 100, got /)
      for (const most of [1, 100]) createSessionManager({ maxSessionsPerUser: most })
    })
  })
})

describe('what the store can be seen to hold of users', () => {
  const servers = useServers()
  const USER = 'alice@example.com'
  const LABEL = 'Firefox at 203.0.113.7'
  const STREET = '12 Rope Walk'

  /** Signs in over an anonymous session, again, and changes and ends things, so that every kind of record is written. */
  async function live(store: SessionStore) {
    const told: unknown[] = []
    const manager = createSessionManager({ store, secret, onEvent: (event) => told.push(event) })
    const cookies: string[] = []
    for (const act of [
      (session: Session) => session.set('address', { street: STREET }),
      (session: Session) => session.signIn(USER, { label: LABEL }),
      (session: Session) => session.regenerateId(),
      (session: Session) => session.signIn(USER, { label: LABEL }),
    ]) {
      cookies.push((await visitOk(manager, cookies.at(-1), act)).cookie)
    }
    const { cookie: ended } = await visitOk(manager, undefined, (session) => session.signIn(USER))
    await visitOk(manager, ended, (session) => session.destroy())
    const [{ id }] = (await manager.listSessions(USER)) as [UserSession]
    await manager.revoke(USER, 'x'.repeat(22))
    return {
      manager,
      told,
      id,
      tokens: [...cookies, ended].map(tokenOf),
      userOf: async () => (await visitOk(manager, cookies.at(-1), (session) => session.userId())).result,
    }
  }

  /** Each as it is, and as it would look encoded. */
  const spellings = (texts: string[]) =>
    texts.flatMap((text) => [
      text,
      ...(['base64', 'base64url', 'hex'] as const).map((encoding) =>
        Buffer.from(text).toString(encoding).replace(/=+$/, ''),
      ),
    ])

  it('B5, G2: a dump of memcached shows no user id, label, address, id of a list or token, in keys or values', async () => {
    const server = await servers.memcached()
    const store = new MemcachedStore(server.address)
    servers.onEnd(() => store.close())
    const { id, tokens, userOf } = await live(store)
    const items = await dump(server)
    // Four sessions were ended, one lives, and one mark lists it.
    expect(items).toHaveLength(6)
    for (const { key } of items) expect(key).toMatch(/^session:[\w-]{43}$/)
    const seen = items.map(({ key, value }) => `${key} ${value.toString('latin1')}`).join('\n')
    for (const text of spellings([USER, LABEL, STREET, id, ...tokens])) expect(seen).not.toContain(text)
    expect(await userOf()).toBe(USER)
  })

  it('B5, G2: nor does anything that is written on the way, an event or an error', async () => {
    const written: string[] = []
    const memory = new MemoryStore()
    const note = (key: string, bytes: Uint8Array) =>
      void written.push(key, Buffer.from(bytes).toString('latin1'))
    let isDown = false
    const store: SessionStore = {
      get: (key, ttl) => (isDown ? Promise.reject(new Error('down')) : memory.get(key, ttl)),
      add: (key, bytes, ttl) => (note(key, bytes), memory.add(key, bytes, ttl)),
      replace: (key, bytes, ttl, version) => (note(key, bytes), memory.replace(key, bytes, ttl, version)),
      set: (key, bytes, ttl) => (note(key, bytes), memory.set(key, bytes, ttl)),
      delete: (key) => memory.delete(key),
    }
    const { manager, told, id, tokens } = await live(store)
    expect(written.length).toBeGreaterThan(20)
    isDown = true
    const errors = []
    for (const ask of [
      () => manager.listSessions(USER),
      () => manager.revokeAll(USER),
      () =>
        visitOk(manager, `__Host-session=${tokens[3]}`, (session) => session.signIn(USER, { label: LABEL })),
    ]) {
      errors.push(await ask().catch((error: unknown) => error))
    }
    for (const error of errors) expect(error).toBeInstanceOf(StoreUnavailableError)
    const shown = [
      ...written,
      inspect(told, { depth: 9 }),
      inspect(errors, { depth: 9 }),
      JSON.stringify(told),
    ].join('\n')
    for (const text of spellings([USER, LABEL, STREET, id, ...tokens])) expect(shown).not.toContain(text)
  })

  it('B5, G1: knowing the user is not enough to find his list: another secret puts it elsewhere', async () => {
    const memory = new MemoryStore()
    const keysBy = async (own: string) => {
      const store = new TamperedStore(memory)
      await createSessionManager({ store, secret: own }).listSessions(USER)
      return store.keys
    }
    expect(await keysBy(secret)).toEqual(await keysBy(secret))
    expect(await keysBy(secret)).not.toEqual(await keysBy(`${secret}, a stranger's`))
  })
})
