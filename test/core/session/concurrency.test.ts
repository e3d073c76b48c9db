import { describe, expect, it, vi } from 'vitest'
import {
  createSessionManager,
  SessionConflictError,
  SessionEndedError,
  StoreUnavailableError,
  type Session,
} from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { stores } from '../../support/stores.ts'
import { failing } from '../../support/tampered-store.ts'
import { visit, visitOk } from '../../support/visit.ts'

describe.each(stores)('concurrency on $name', ({ open }) => {
  const store = open()
  const bench = useBench(store)

  const begin = (data: Record<string, unknown> = { user: 'u1' }) => bench.begin(data)
  const read = (cookie: string) => bench.read(cookie)

  /** A request that loaded the session, then waited while `between` happened, and only then commits `handler`. */
  const slowly = (
    cookie: string,
    handler: (session: Session) => unknown,
    between: () => unknown,
    response = {},
  ) =>
    visit(
      bench.manager,
      cookie,
      async (session) => {
        await session.exists()
        await handler(session)
        await between()
        bench.lastEvents.length = 0
      },
      response,
    )
  const write = (cookie: string, handler: (session: Session) => unknown) =>
    visitOk(bench.another(), cookie, handler)

  describe('E1: replay on the newest record', () => {
    it.each<[string, (session: Session) => unknown, (session: Session) => unknown, unknown]>([
      [
        'keys it did not touch come from there',
        (s) => s.set('a', 1),
        (s) => s.set('b', 2),
        { a: 1, b: 2, n: 100 },
      ],
      ['a set wins over a set', (s) => s.set('n', 5), (s) => s.set('n', 7), { n: 5 }],
      ['a delete wins over a set', (s) => s.delete('n'), (s) => s.set('n', 7), {}],
      ['an update runs again', (s) => s.update('n', plusOne), (s) => s.set('n', 7), { n: 8 }],
      [
        'two updates run in order',
        (s) => Promise.all([s.update('n', plusOne), s.update('n', twice)]),
        (s) => s.set('n', 7),
        { n: 16 },
      ],
      [
        'an update after a set works on that value',
        (s) => (s.set('n', 10), s.update('n', plusOne)),
        (s) => s.set('n', 7),
        { n: 11 },
      ],
      [
        'an update after a delete starts from nothing',
        (s) => (s.delete('n'), s.update('n', plusOne)),
        (s) => s.set('n', 7),
        { n: 1 },
      ],
      [
        'an update after clear starts from nothing',
        (s) => (s.clear(), s.update('n', plusOne)),
        (s) => s.set('n', 7),
        { n: 1 },
      ],
      [
        'a set after an update wins',
        (s) => (void s.update('n', plusOne), s.set('n', 3)),
        (s) => s.set('n', 7),
        { n: 3 },
      ],
      ['clear empties the newest record, too', (s) => s.clear(), (s) => s.set('b', 2), {}],
      ['take deletes the value it returned', (s) => s.take('n'), (s) => s.set('b', 2), { b: 2 }],
      ['take leaves a newer value', (s) => s.take('n'), (s) => s.set('n', 7), { n: 7 }],
      [
        'a set after take wins',
        async (s) => (await s.take('n'), s.set('n', 3)),
        (s) => s.set('n', 7),
        { n: 3 },
      ],
    ])('E1: %s', async (_, slow, quick, expected) => {
      const cookie = await begin({ n: 100 })
      const { error } = await slowly(cookie, slow, () => write(cookie, quick))
      expect(error).toBeUndefined()
      expect(await read(cookie)).toEqual(expected)
      if (bench.events().includes('saved')) expect(bench.events()).toContain('conflict')
    })

    it('E1: a nested change is a set of that key, never a deep merge', async () => {
      const cookie = await begin({ cart: { a: 1 } })
      await slowly(
        cookie,
        async (session) => ((await session.get('cart')).b = 2),
        () => write(cookie, (session) => session.set('cart', { a: 1, c: 3 })),
      )
      expect(await read(cookie)).toEqual({ cart: { a: 1, b: 2 } })
    })

    it('E1: an update that throws when it runs again rejects the commit, and nothing is written', async () => {
      const cookie = await begin({ stock: 1 })
      const { error } = await slowly(
        cookie,
        async (session) => {
          session.set('order', 'o1')
          await session.update('stock', (stock: number) => {
            if (stock < 1) throw new Error('sold out')
            return stock - 1
          })
        },
        () => write(cookie, (session) => session.set('stock', 0)),
      )
      expect(error).toEqual(new Error('sold out'))
      expect(await read(cookie)).toEqual({ stock: 0 })
    })

    it('E1: an update that returns a promise is refused', async () => {
      const cookie = await begin({ n: 1 })
      const { error } = await visit(bench.manager, cookie, (session) => {
        void session.update('n', async (n: number) => n + 1)
      })
      expect(error).toBeInstanceOf(TypeError)
      expect(await read(cookie)).toEqual({ n: 1 })
    })

    it('E1: take and save spend a value exactly once', async () => {
      const cookie = await begin({ ticket: 'T1' })
      const spend = () =>
        visit(bench.another(), cookie, async (session) => {
          const ticket = await session.take('ticket')
          if (ticket === undefined) return 'nothing left'
          return session.save().then(
            () => 'spent',
            (error: unknown) => error,
          )
        })
      const results = (await Promise.all(Array.from({ length: 8 }, spend))).map(({ result }) => result)
      expect(results.filter((result) => result === 'spent')).toHaveLength(1)
      expect(results.filter((result) => result instanceof SessionConflictError)).toHaveLength(7)
    })

    it('E1: a value that was updated and then taken is spent once, too', async () => {
      const cookie = await begin({ ticket: 'T1' })
      const { error } = await slowly(
        cookie,
        async (session) => {
          await session.update('ticket', (ticket: string) => ticket)
          expect(await session.take('ticket')).toBe('T1')
          await write(cookie, (other) => other.take('ticket'))
          await expect(session.save()).rejects.toThrow(SessionConflictError)
        },
        () => {},
      )
      expect(error).toBeUndefined()
      expect(await read(cookie)).toEqual({})
    })

    it('E1: a value that was taken elsewhere does not fail the implicit commit', async () => {
      const cookie = await begin({ flash: 'hello' })
      const { error } = await slowly(
        cookie,
        async (session) => session.set('seen', await session.take('flash')),
        () => write(cookie, (session) => session.take('flash')),
      )
      expect(error).toBeUndefined()
      expect(await read(cookie)).toEqual({ seen: 'hello' })
    })
  })

  it('E2: 200 commits to one record within a process all succeed', async () => {
    const cookie = await begin({ n: 0 })
    const visits = await Promise.all(
      Array.from({ length: 200 }, () => visit(bench.manager, cookie, (s) => s.update('n', plusOne))),
    )
    expect(visits.filter(({ error }) => error)).toEqual([])
    expect(await read(cookie)).toEqual({ n: 200 })
  })

  it('E2: a turn never hands on a record older than the one that was read', async () => {
    const cookie = await begin({ x: 0 })
    const [first, second] = [bench.manager.open(cookie), bench.manager.open(cookie)]
    await first.get('x')
    first.set('x', 1)
    const intruder = bench.another({ store: store.current })
    const applied = deferred()
    const answered = deferred()
    bench.store.after = once('replace', async () => {
      applied.resolve()
      await answered.promise
    })
    const headers = new Headers()
    const firstCommit = bench.manager.commit(first, () => ({ status: 200, headers }))
    await applied.promise
    await visitOk(intruder, cookie, (session) => session.set('x', 2))
    expect(await second.get('x')).toBe(2)
    second.set('x', 1)
    const secondCommit = bench.manager.commit(second, () => ({ status: 200, headers }))
    answered.resolve()
    await Promise.all([firstCommit, secondCommit])
    expect(await read(cookie)).toEqual({ x: 1 })
  })

  it('E2: writers who share no process all succeed', async () => {
    const cookie = await begin({ n: 0 })
    const managers = Array.from({ length: 20 }, () => bench.another())
    const visits = await Promise.all(
      managers.map((each) => visit(each, cookie, (s) => s.update('n', plusOne))),
    )
    expect(visits.filter(({ error }) => error)).toEqual([])
    expect(await read(cookie)).toEqual({ n: 20 })
  })

  it('E2: the first retry waits for nothing but the store', async () => {
    const manager = createSessionManager()
    const { cookie } = await visitOk(manager, undefined, (session) => session.set('n', 0))
    const setTimeout = vi.spyOn(globalThis, 'setTimeout')
    const { error } = await visit(manager, cookie, async (session) => {
      await session.update('n', plusOne)
      await visitOk(manager, cookie, (other) => other.update('n', plusOne))
    })
    const timers = setTimeout.mock.calls.map(([, milliseconds]) => milliseconds!)
    setTimeout.mockRestore()
    expect(error).toBeUndefined()
    // Deadlines, each of them: a pause between two attempts is at most 64 ms.
    expect(timers.filter((milliseconds) => milliseconds <= 64)).toEqual([])
  })

  it('E2: the read stands right before the swap', async () => {
    const cookie = await begin({ n: 0 })
    await slowly(
      cookie,
      (s) => s.update('n', plusOne),
      async () => {
        await write(cookie, (s) => s.update('n', plusOne))
        bench.forget()
      },
    )
    expect(bench.store.operations).toEqual(['replace', 'get', 'replace'])
  })

  it('E2: a writer who never gets through gives up within the budget, and nothing is written', async () => {
    const cookie = await begin({ n: 0 })
    let others = 0
    const intruder = bench.another({ store: store.current })
    bench.store.before = async (operation) => {
      if (operation !== 'replace') return
      others++
      await visitOk(intruder, cookie, (session) => session.set('other', others))
    }
    const startedAt = performance.now()
    const { error } = await visit(bench.manager, cookie, (session) => session.set('mine', 1))
    expect(performance.now() - startedAt).toBeLessThan(800)
    expect(error).toBeInstanceOf(SessionConflictError)
    expect(others).toBeGreaterThan(5)
    bench.forget()
    expect(await read(cookie)).toEqual({ n: 0, other: others })
  })

  describe('E4: a save whose reply was lost', () => {
    it('E4: is recognised when it was applied', async () => {
      const cookie = await begin({ n: 0 })
      bench.store.after = failing('replace')
      const { error } = await visit(bench.manager, cookie, (s) => s.update('n', plusOne))
      expect(error).toBeUndefined()
      expect(bench.store.count('replace')).toBe(1)
      bench.forget()
      expect(await read(cookie)).toEqual({ n: 1 })
    })

    it('E4: is repeated when it was not', async () => {
      const cookie = await begin({ n: 0 })
      bench.store.before = failing('replace')
      const { error } = await visit(bench.manager, cookie, (s) => s.update('n', plusOne))
      expect(error).toBeUndefined()
      bench.forget()
      expect(await read(cookie)).toEqual({ n: 1 })
    })

    it('E4: is recognised behind the writes of others', async () => {
      const cookie = await begin({ n: 0 })
      const { error } = await visit(bench.manager, cookie, async (session) => {
        await session.update('n', plusOne)
        bench.store.after = failing('replace')
        bench.store.before = failing('get')
        await expect(session.save()).rejects.toThrow(StoreUnavailableError)
        for (let i = 0; i < 200; i++) await write(cookie, (s) => s.update('n', plusOne))
        await session.save()
      })
      expect(error).toBeUndefined()
      bench.forget()
      expect(await read(cookie)).toEqual({ n: 201 })
    })

    it.each([
      [
        'too many others wrote since',
        async (cookie: string) => {
          for (let i = 0; i < 256; i++) await write(cookie, (s) => s.update('n', plusOne))
          return 257
        },
      ],
      [
        'the record was quiet for 6 s and then written',
        async (cookie: string) => {
          bench.clock.ms += 6_000
          await write(cookie, (s) => s.update('n', plusOne))
          return 2
        },
      ],
    ])('E4: is never guessed at: %s', async (_, others) => {
      const cookie = await begin({ n: 0 })
      let expected = 0
      const { error } = await visit(bench.manager, cookie, async (session) => {
        await session.update('n', plusOne)
        bench.store.after = failing('replace')
        bench.store.before = failing('get')
        await expect(session.save()).rejects.toThrow(StoreUnavailableError)
        expected = await others(cookie)
        await expect(session.save()).rejects.toThrow(SessionConflictError)
      })
      expect(error).toBeInstanceOf(SessionConflictError)
      bench.forget()
      expect(await read(cookie)).toEqual({ n: expected })
    })

    it('E4: that could not be settled is settled by the next attempt of the same request', async () => {
      for (const stage of ['before', 'after'] as const) {
        const cookie = await begin({ n: 0 })
        const { error } = await visit(bench.manager, cookie, async (session) => {
          await session.update('n', plusOne)
          bench.store[stage] = failing('replace')
          const drop = failing('get')
          if (stage === 'after') bench.store.before = drop
          else bench.store.after = drop
          await expect(session.save()).rejects.toThrow(StoreUnavailableError)
          await session.save()
        })
        expect(error).toBeUndefined()
        bench.forget()
        expect(await read(cookie)).toEqual({ n: 1 })
      }
    })

    it('E4: is recognised behind a commit of the same process that waited its turn', async () => {
      const cookie = await begin({ n: 0 })
      const [first, second] = [bench.manager.open(cookie), bench.manager.open(cookie)]
      await first.update('n', plusOne)
      await second.get('n')
      // Applied, but neither the reply nor the read that would settle it comes back.
      bench.store.after = failing('replace')
      bench.store.before = failing('get')
      await expect(first.save()).rejects.toThrow(StoreUnavailableError)
      const commit = () => ({ status: 200, headers: new Headers() })
      void second.update('n', plusOne)
      await Promise.all([bench.manager.commit(second, commit), bench.manager.commit(first, commit)])
      bench.forget()
      expect(await read(cookie)).toEqual({ n: 2 })
    })

    it('E4: under a network that loses every third reply, every acknowledged update counts once', async () => {
      const cookie = await begin({ n: 0 })
      let calls = 0
      bench.store.after = (operation) => {
        if (++calls % 3 === 0) failing(operation)(operation)
      }
      let acknowledged = 0
      let rejected = 0
      for (let round = 0; round < 100; round++) {
        const { error } = await visit(bench.another(), cookie, (s) => void s.update('n', plusOne))
        if (error) rejected++
        else acknowledged++
      }
      bench.forget()
      const { n } = (await read(cookie)) as { n: number }
      expect(acknowledged).toBeGreaterThan(20)
      expect(n).toBeGreaterThanOrEqual(acknowledged)
      expect(n).toBeLessThanOrEqual(acknowledged + rejected)
    })
  })

  describe('E5: ended stays ended', () => {
    it.each<[string, (session: Session) => unknown]>([
      ['destroy', (session) => session.destroy()],
      ['regenerateId', (session) => session.regenerateId()],
    ])('E5: a slower request writes nothing after %s and sends no cookie', async (_, end) => {
      const cookie = await begin()
      let next = ''
      const { error, setCookie } = await slowly(
        cookie,
        (session) => session.set('user', 'revenant'),
        async () => {
          next = (await write(cookie, end)).cookie
        },
      )
      expect([error, setCookie]).toEqual([undefined, undefined])
      expect(bench.events()).toContain('dropped')
      expect(await read(cookie)).toEqual({})
      expect(await read(next)).toEqual(next.endsWith('=') ? {} : { user: 'u1' })
    })

    it('E5: a commit that waits its turn behind regenerateId writes nothing, under no token', async () => {
      const cookie = await begin()
      const [first, second] = [bench.manager.open(cookie), bench.manager.open(cookie)]
      await Promise.all([first.get('user'), second.get('user')])
      first.regenerateId()
      second.set('user', 'revenant')
      const headers = [new Headers(), new Headers()] as const
      await Promise.all([
        bench.manager.commit(first, () => ({ status: 200, headers: headers[0] })),
        bench.manager.commit(second, () => ({ status: 200, headers: headers[1] })),
      ])
      expect(headers[1].getSetCookie()).toEqual([])
      expect(await read(headers[0].getSetCookie()[0]!)).toEqual({ user: 'u1' })
      expect(await read(cookie)).toEqual({})
    })

    it('E5: its save throws, and so does a later one', async () => {
      const cookie = await begin()
      await visitOk(bench.manager, cookie, async (session) => {
        await session.get('user')
        await write(cookie, (other) => other.destroy())
        session.set('user', 'revenant')
        await expect(session.save()).rejects.toThrow(SessionEndedError)
        expect(await session.exists()).toBe(false)
        session.set('user', 'revenant')
        await expect(session.save()).rejects.toThrow(SessionEndedError)
      })
      expect(await read(cookie)).toEqual({})
    })

    it('E5: destroy of nothing live writes nothing and clears the cookie', async () => {
      const { setCookie } = await visitOk(bench.manager, `__Host-session=${'k'.repeat(43)}`, (s) =>
        s.destroy(),
      )
      expect(setCookie).toMatch(/^__Host-session=; .*Max-Age=0/)
      expect(bench.store.operations).toEqual(['get'])
    })

    it('E5: a destroy whose reply was lost, or that met writers, is carried out', async () => {
      for (const tamper of [
        (cookie: string) => ((bench.store.after = failing('replace')), cookie),
        (cookie: string) => ((bench.store.before = failing('replace')), cookie),
        (cookie: string) => (
          (bench.store.before = once('replace', () => write(cookie, (s) => s.set('a', 1)))),
          cookie
        ),
      ]) {
        const cookie = tamper(await begin())
        const { error, setCookie } = await visit(bench.manager, cookie, (session) => session.destroy())
        expect(error).toBeUndefined()
        expect(setCookie).toMatch(/Max-Age=0/)
        bench.forget()
        expect(await read(cookie)).toEqual({})
        expect(bench.events()).toEqual(['ended'])
      }
    })

    it('E5: writers cannot starve a sign-out', async () => {
      const cookie = await begin()
      const intruder = bench.another({ store: store.current })
      let others = 0
      bench.store.before = async (operation) => {
        if (operation === 'replace')
          await visitOk(intruder, cookie, (session) => session.set('other', ++others))
      }
      const { error } = await visit(bench.manager, cookie, (session) => session.destroy())
      expect(error).toBeUndefined()
      expect(bench.store.operations.at(-1)).toBe('set')
      bench.forget()
      expect(await read(cookie)).toEqual({})
    })

    it('E5, F1: a destroy that failed rejects, leaves the cookie, and can be repeated', async () => {
      const cookie = await begin()
      bench.store.before = () => {
        throw new StoreUnavailableError('any', new Error('down'))
      }
      const { error, setCookie } = await visit(bench.manager, cookie, (session) => session.destroy())
      expect(error).toBeInstanceOf(StoreUnavailableError)
      expect(setCookie).toBeUndefined()
      bench.forget()
      expect(await read(cookie)).toEqual({ user: 'u1' })
      await visitOk(bench.manager, cookie, (session) => session.destroy())
      expect(await read(cookie)).toEqual({})
    })
  })

  describe('E6: tombstones', () => {
    it('E6: for 30 s the ended token reads empty, writes are dropped and no cookie goes out', async () => {
      const cookie = await begin()
      await write(cookie, (session) => session.destroy())
      bench.clock.ms += 29_999
      const late = await visitOk(bench.manager, cookie, async (session) => {
        session.set('user', 'u2')
        return session.entries()
      })
      expect(late.result).toEqual({ user: 'u2' })
      expect(late.setCookie).toBeUndefined()
      expect(bench.events()).toContain('dropped')
      expect(await read(cookie)).toEqual({})
    })

    it('E6: regenerateId starts afresh there, and destroy clears the cookie', async () => {
      const cookie = await begin()
      await write(cookie, (session) => session.destroy())
      const cleared = await visitOk(bench.manager, cookie, (session) => session.destroy())
      expect(cleared.setCookie).toMatch(/Max-Age=0/)
      const nothing = await visitOk(bench.manager, cookie, (session) => session.regenerateId())
      expect(nothing.setCookie).toBeUndefined()
      const signedIn = await visitOk(bench.manager, cookie, (session) => {
        session.regenerateId()
        session.set('user', 'u2')
      })
      expect(await read(signedIn.cookie)).toEqual({ user: 'u2' })
      expect(await read(cookie)).toEqual({})
    })

    it('E6: older than 30 s, though reads renewed it, the token counts as unknown', async () => {
      const cookie = await begin()
      await write(cookie, (session) => session.destroy())
      bench.clock.ms += 29_000
      await read(cookie)
      bench.clock.ms += 1_000
      bench.forget()
      const late = await visitOk(bench.manager, cookie, (session) => session.set('user', 'u2'))
      expect(bench.lastEvents[0]).toMatchObject({ type: 'ended', reason: 'signed-out' })
      expect(bench.events()).toEqual(['ended', 'created'])
      expect(late.cookie).not.toBe(cookie)
      expect(await read(late.cookie)).toEqual({ user: 'u2' })
    })

    it('E6: to whoever loaded the session live it is the end at any age', async () => {
      const cookie = await begin()
      const { error, setCookie } = await slowly(
        cookie,
        (session) => session.set('user', 'revenant'),
        async () => {
          await write(cookie, (session) => session.destroy())
          bench.clock.ms += 45_000
        },
      )
      expect([error, setCookie]).toEqual([undefined, undefined])
      expect(await read(cookie)).toEqual({})
    })
  })

  describe('E7: regenerateId', () => {
    it('E7: new token, data kept, the old token dead at once', async () => {
      const cookie = await begin()
      const next = await visitOk(bench.manager, cookie, (session) => {
        session.regenerateId()
        session.set('role', 'admin')
      })
      expect(next.cookie).not.toBe(cookie)
      expect(await read(next.cookie)).toEqual({ user: 'u1', role: 'admin' })
      expect(await read(cookie)).toEqual({})
    })

    it('E7: a write that came between is carried over', async () => {
      const cookie = await begin({ n: 1 })
      const next = await slowly(
        cookie,
        (session) => (session.regenerateId(), session.update('n', plusOne)),
        () => write(cookie, (session) => (session.set('n', 7), session.set('cart', ['rope']))),
      )
      expect(next.error).toBeUndefined()
      expect(await read(next.cookie)).toEqual({ n: 8, cart: ['rope'] })
    })

    it('E7: a swap whose reply was lost is settled by reading', async () => {
      for (const stage of ['before', 'after'] as const) {
        const cookie = await begin()
        bench.store[stage] = failing('replace')
        const next = await visitOk(bench.manager, cookie, (session) => session.regenerateId())
        bench.forget()
        expect(await read(next.cookie)).toEqual({ user: 'u1' })
        expect(await read(cookie)).toEqual({})
      }
    })

    it.each<[string, (cookie: string) => unknown]>([
      ['destroyed', (cookie) => write(cookie, (session) => session.destroy())],
      ['missing', () => store.current.delete(bench.store.keys[0] as string)],
    ])('E7: old session %s: the new one is deleted and the commit rejects', async (_, between) => {
      const cookie = await begin()
      const before = await store.countRecords()
      const { error, setCookie } = await slowly(
        cookie,
        (session) => session.regenerateId(),
        () => between(cookie),
      )
      expect(error).toBeInstanceOf(SessionEndedError)
      expect(setCookie).toBeUndefined()
      expect(bench.store.operations.at(-1)).toBe('delete')
      // The delete is not waited for by the commit, and the count is asked over another connection.
      await expect.poll(() => store.countRecords()).toBeLessThanOrEqual(before)
    })

    it('E7: regenerated by another request: without other changes that is all', async () => {
      const cookie = await begin()
      let winner = ''
      const { error, setCookie } = await slowly(
        cookie,
        (session) => session.regenerateId(),
        async () => {
          winner = (await write(cookie, (session) => session.regenerateId())).cookie
        },
      )
      expect([error, setCookie]).toEqual([undefined, undefined])
      expect(await read(winner)).toEqual({ user: 'u1' })
    })

    it('E7: regenerated by another request: a double-clicked sign-in is told so', async () => {
      const cookie = await begin({ cart: ['rope'] })
      const signIn = (session: Session) => (session.regenerateId(), session.set('user', 'u1'))
      let winner = ''
      const { error, setCookie } = await slowly(cookie, signIn, async () => {
        winner = (await write(cookie, signIn)).cookie
      })
      expect(error).toBeInstanceOf(SessionConflictError)
      expect(setCookie).toBeUndefined()
      expect(await read(winner)).toEqual({ user: 'u1', cart: ['rope'] })
    })

    it('E7: when the store fails and reading cannot settle it, the new one is deleted and the commit rejects', async () => {
      const cookie = await begin()
      const added: string[] = []
      bench.store.before = (operation, key) => {
        if (operation === 'add') added.push(key)
        if (operation === 'replace') {
          bench.store.before = (next) => next === 'get' && failing('get')('get')
          failing('replace')('replace')
        }
      }
      const { error, setCookie } = await visit(bench.manager, cookie, (session) => session.regenerateId())
      expect(error).toBeInstanceOf(StoreUnavailableError)
      expect(setCookie).toBeUndefined()
      bench.forget()
      expect(await store.current.get(added[0] as string, 60)).toBeUndefined()
      expect(await read(cookie)).toEqual({ user: 'u1' })
    })

    it('E7: a sign-out that had loaded the session live ends its successor, one that arrives later does not', async () => {
      const cookie = await begin()
      let successor = ''
      const { error } = await slowly(
        cookie,
        (session) => session.destroy(),
        async () => {
          successor = (await write(cookie, (session) => session.regenerateId())).cookie
        },
      )
      expect(error).toBeUndefined()
      expect(await read(successor)).toEqual({})

      const another = await begin()
      const kept = await visitOk(bench.manager, another, (session) => session.regenerateId())
      await visitOk(bench.manager, another, (session) => session.destroy())
      expect(await read(kept.cookie)).toEqual({ user: 'u1' })
    })
  })

  it('E8: a session that is missing at the commit counts as ended', async () => {
    const cookie = await begin()
    const lose = async () => {
      await store.current.delete(bench.store.keys[0] as string)
    }
    const { error, setCookie } = await slowly(cookie, (session) => session.set('user', 'revenant'), lose)
    expect([error, setCookie]).toEqual([undefined, undefined])
    expect(bench.events()).toContain('missing')
    expect(bench.store.operations.at(-1)).toBe('replace')
    expect(await read(cookie)).toEqual({})

    const second = await begin()
    await visitOk(bench.manager, second, async (session) => {
      await session.get('user')
      await lose()
      session.set('user', 'revenant')
      await expect(session.save()).rejects.toThrow(SessionEndedError)
    })
    expect(await read(second)).toEqual({})
  })
})

const plusOne = (n: number = 0): number => n + 1
const twice = (n: number = 0): number => n * 2

function once(operation: string, act: () => unknown): (called: string) => unknown {
  let isDone = false
  return (called) => {
    if (isDone || called !== operation) return undefined
    isDone = true
    return act()
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
