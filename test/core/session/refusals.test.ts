import { describe, expect, it } from 'vitest'
import { SessionDataError, StoreUnavailableError, type Session } from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { stores } from '../../support/stores.ts'
import { failing } from '../../support/tampered-store.ts'
import { visit } from '../../support/visit.ts'

describe.each(stores)('what save() refused, on $name', ({ open }) => {
  const bench = useBench(open())
  const begin = () => bench.begin({ user: 'u1', cart: ['rope'] })

  /** Says what was caught. */
  async function caught(session: Session): Promise<unknown> {
    return session.save().then(
      () => undefined,
      (error: unknown) => error,
    )
  }

  describe('as data', () => {
    it.each<[string, (session: Session) => unknown]>([
      ['a Map', (session) => session.set('seen', new Map())],
      ['a nested change', async (session) => (await session.get('cart')).push(1n)],
      [
        'a nested change to what entries returned',
        async (session) => (await session.entries()).cart.push(NaN),
      ],
      ['a sign-in', (session) => (session.regenerateId(), session.set('user', { since: new Date(0) }))],
    ])('D9: %s, and caught, is dropped: the answer of the handler goes out', async (_, change) => {
      const cookie = await begin()
      let refused: unknown
      const { error, setCookie } = await visit(bench.manager, cookie, async (session) => {
        await change(session)
        session.set('other', 'of the same save')
        refused = await caught(session)
      })
      expect(refused).toBeInstanceOf(SessionDataError)
      expect([error, setCookie]).toEqual([undefined, undefined])
      expect(bench.events()).toContain('dropped')
      expect(await bench.read(cookie)).toEqual({ user: 'u1', cart: ['rope'] })
    })

    it('D9: makes no session where there was none', async () => {
      const { error, setCookie } = await visit(bench.manager, undefined, async (session) => {
        session.set('seen', new Map())
        await caught(session)
      })
      expect([error, setCookie]).toEqual([undefined, undefined])
      expect(bench.store.operations).toEqual([])
    })

    it('D9: what is written after it is kept, though the refused data is still there', async () => {
      const cookie = await begin()
      const { error } = await visit(bench.manager, cookie, async (session) => {
        session.set('cart', new Set())
        session.set('user', 'u2')
        await caught(session)
        session.set('flash', 'that is no cart')
      })
      expect(error).toBeUndefined()
      expect(await bench.read(cookie)).toEqual({ user: 'u1', cart: ['rope'], flash: 'that is no cart' })
    })

    it('D9: what is mended is saved, with all that stood beside it', async () => {
      const cookie = await begin()
      const cart: unknown[] = [1n]
      await visit(bench.manager, cookie, async (session) => {
        session.set('cart', cart)
        session.set('user', 'u2')
        await caught(session)
        cart.pop()
      })
      expect(await bench.read(cookie)).toEqual({ user: 'u2', cart: [] })
      expect(bench.events()).not.toContain('dropped')
    })

    it.each([['first'], ['last']])(
      'D9: what is changed inside after it is kept, whether it was set %s or not',
      async (place) => {
        const cookie = await begin()
        const cart = ['chain']
        await visit(bench.manager, cookie, async (session) => {
          if (place === 'first') session.set('cart', cart)
          session.set('user', new Map())
          if (place === 'last') session.set('cart', cart)
          await caught(session)
          cart.push('anchor')
        })
        expect(await bench.read(cookie)).toEqual({ user: 'u1', cart: ['chain', 'anchor'] })
      },
    )

    it('D9: what is written after it and refused, too, fails the commit', async () => {
      const cookie = await begin()
      const { error } = await visit(bench.manager, cookie, async (session) => {
        session.set('cart', new Set())
        await caught(session)
        session.set('user', new Map())
      })
      expect(error).toMatchObject({
        code: 'ERR_SESSION_NOT_SERIALIZABLE',
        message: expect.stringContaining('user:'),
      })
    })

    it('D9: what nobody has seen refused fails the commit', async () => {
      const cookie = await begin()
      const { error } = await visit(bench.manager, cookie, async (session) => {
        session.set('cart', new Set())
        void session.save()
        await new Promise((resolve) => setTimeout(resolve, 20))
      })
      expect(error).toBeInstanceOf(SessionDataError)
    })

    it('D9: a destroy() after it is carried out', async () => {
      const cookie = await begin()
      const { error, setCookie } = await visit(bench.manager, cookie, async (session) => {
        session.set('cart', new Set())
        await caught(session)
        session.destroy()
      })
      expect(error).toBeUndefined()
      expect(setCookie).toContain('Max-Age=0')
      expect(await bench.read(cookie)).toEqual({})
    })

    it('D9: what is too large is dropped as well', async () => {
      if (bench.store.maxBytes === Infinity) return
      const cookie = await begin()
      let refused: unknown
      const { error } = await visit(bench.manager, cookie, async (session) => {
        session.set('cart', 'x'.repeat(1_100_000))
        refused = await caught(session)
        session.set('flash', 'too large')
      })
      expect(refused).toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
      expect(error).toBeUndefined()
      expect(await bench.read(cookie)).toEqual({ user: 'u1', cart: ['rope'], flash: 'too large' })
    })
  })

  describe('by an outage', () => {
    it.each<[string, 'get' | 'replace']>([
      ['of its load', 'get'],
      ['of its write', 'replace'],
    ])('D9: %s, and caught, is dropped: the answer of the handler goes out', async (_, operation) => {
      const cookie = await begin()
      let refused: unknown
      const { error, setCookie } = await visit(bench.manager, cookie, async (session) => {
        bench.store.before = failing(operation, 5)
        session.set('user', 'u2')
        refused = await caught(session)
      })
      expect(refused).toBeInstanceOf(StoreUnavailableError)
      expect([error, setCookie]).toEqual([undefined, undefined])
      expect(bench.events()).toContain('dropped')
      bench.forget()
      expect(await bench.read(cookie)).toMatchObject({ user: 'u1' })
    })

    it('D9: with a further change all of it is tried again, and fails the commit when it fails again', async () => {
      for (const failures of [2, 20]) {
        const cookie = await begin()
        const { error } = await visit(bench.manager, cookie, async (session) => {
          await session.get('user')
          bench.store.before = failing('replace', failures)
          session.set('user', 'u2')
          await caught(session)
          session.set('flash', 'try again')
        })
        bench.forget()
        if (failures === 2) expect(await bench.read(cookie)).toMatchObject({ user: 'u2', flash: 'try again' })
        else expect(error).toBeInstanceOf(StoreUnavailableError)
      }
    })

    it('D9: a change inside a value is a further change, too', async () => {
      const cookie = await begin()
      await visit(bench.manager, cookie, async (session) => {
        const cart = await session.get('cart')
        bench.store.before = failing('replace', 2)
        session.set('user', 'u2')
        await caught(session)
        cart.push('anchor')
      })
      expect(await bench.read(cookie)).toEqual({ user: 'u2', cart: ['rope', 'anchor'] })
    })

    it('D9: what nobody has seen fail is tried again, and fails the commit', async () => {
      const cookie = await begin()
      const { error } = await visit(bench.manager, cookie, async (session) => {
        await session.get('user')
        bench.store.before = failing('replace', 20)
        session.set('user', 'u2')
        void session.save()
        await new Promise((resolve) => setTimeout(resolve, 20))
      })
      expect(error).toBeInstanceOf(StoreUnavailableError)
    })

    it('D9, F1: a destroy() that is pending is tried again, and fails the commit when it fails again', async () => {
      for (const failures of [1, 20]) {
        const cookie = await begin()
        const { error, setCookie } = await visit(bench.manager, cookie, async (session) => {
          bench.store.before = failing('get', failures)
          session.destroy()
          await caught(session)
        })
        bench.forget()
        if (failures === 1) expect([error, await bench.read(cookie)]).toEqual([undefined, {}])
        else {
          expect(error).toBeInstanceOf(StoreUnavailableError)
          expect(setCookie).toBeUndefined()
        }
      }
    })
  })
})
