import { describe, expect, it } from 'vitest'
import { SessionEndedError, StoreUnavailableError, type Session } from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { stores } from '../../support/stores.ts'
import { failing } from '../../support/tampered-store.ts'
import { visit, visitOk } from '../../support/visit.ts'

const plusOne = (n: number = 0): number => n + 1
const microtasks = async (count: number) => {
  for (let i = 0; i < count; i++) await undefined
}

/** What one request can do to itself: saves under way, work that nobody awaits, a destroy in between. */
describe.each(stores)("a request's own interleavings on $name", ({ open }) => {
  const store = open()
  const bench = useBench(store)

  const begin = (data: Record<string, unknown> = { n: 1 }) => bench.begin(data)
  const read = (cookie: string) => bench.read(cookie)
  /** Holds the next reply of an operation back until `release` is called. */
  const hold = (operation: string) => {
    let release!: () => void
    let arrived!: () => void
    const held = new Promise<void>((resolve) => (release = resolve))
    const isHeld = new Promise<void>((resolve) => (arrived = resolve))
    bench.store.after = async (called) => {
      if (called !== operation) return
      bench.store.after = () => {}
      arrived()
      await held
    }
    return { isHeld, release }
  }

  it.each([
    ['creates', false],
    ['regenerates', true],
  ])('E1: what is written at any moment of a save that %s is not lost', async (_, regenerates) => {
    for (let moment = 0; moment < 20; moment++) {
      const cookie = regenerates ? await begin({ kept: 1 }) : undefined
      const done = await visitOk(bench.manager, cookie, async (session) => {
        if (regenerates) {
          await session.exists()
          session.regenerateId()
        }
        session.set('a', 1)
        const save = session.save()
        await microtasks(moment)
        await session.update('b', plusOne)
        await save
      })
      expect([moment, await read(done.cookie)]).toEqual([
        moment,
        { ...(regenerates && { kept: 1 }), a: 1, b: 1 },
      ])
    }
  })

  it('E1: a take at any moment of a save that waits for the load is neither spent nor lost', async () => {
    for (let moment = 0; moment < 20; moment++) {
      const cookie = await begin({ flash: 'hello' })
      const { result, error } = await visit(bench.manager, cookie, async (session) => {
        session.set('a', 1)
        const save = session.save()
        await microtasks(moment)
        const flash = await session.take('flash')
        await save
        return flash
      })
      expect([moment, result, error]).toEqual([moment, 'hello', undefined])
      expect(await read(cookie)).toEqual({ a: 1 })
    }
  })

  it.each<[string, (session: Session) => unknown]>([
    ['set', (session) => session.set('flash', 'bye')],
    ['update', (session) => session.update('flash', () => 'bye')],
    ['regenerateId and set', (session) => (session.regenerateId(), session.set('flash', 'bye'))],
  ])('S9: after a destroy while a save is under way, %s begins a new session', async (_, act) => {
    const cookie = await begin({ user: 'u1' })
    const next = await visitOk(bench.manager, cookie, async (session) => {
      await session.get('user')
      const { isHeld, release } = hold('replace')
      session.set('a', 1)
      const save = session.save()
      await isHeld
      session.destroy()
      await act(session)
      expect(await session.entries()).toEqual({ flash: 'bye' })
      release()
      await save
    })
    expect(next.cookie).not.toBe(cookie)
    expect(await read(next.cookie)).toEqual({ flash: 'bye' })
    expect(await read(cookie)).toEqual({})
  })

  it.each<[string, (session: Session) => void]>([
    ['clear', (session) => session.clear()],
    ['destroy', (session) => session.destroy()],
  ])('E1: an update that fails does not bring back what %s removed', async (act, remove) => {
    const cookie = await begin({ cart: ['rope'] })
    const next = await visitOk(bench.manager, cookie, async (session) => {
      const cart = await session.get('cart')
      const update = session.update('cart', () => {
        throw new Error('no')
      })
      remove(session)
      await update.catch(() => {})
      expect(await session.get('cart')).toBeUndefined()
      cart.push('anchor')
    })
    expect(next.cookie === cookie).toBe(act === 'clear')
    expect(await read(cookie)).toEqual({})
  })

  it.each<[string, (session: Session) => unknown]>([
    ['a flash that cannot be stored', (session) => session.set('flash', new Map())],
    ['an update that throws', (session) => void session.update('flash', () => JSON.parse('{'))],
  ])('S9: destroy is carried out in spite of %s after it', async (_, act) => {
    const cookie = await begin()
    const { error, setCookie } = await visit(bench.manager, cookie, (session) => {
      session.destroy()
      void act(session)
    })
    expect(error).toBeInstanceOf(Error)
    expect(setCookie).toMatch(/Max-Age=0/)
    expect(await read(cookie)).toEqual({})
  })

  it('E5: what is begun while a save finds the session ended is judged for itself', async () => {
    const cookie = await begin({ user: 'u1' })
    const next = await visitOk(bench.manager, cookie, async (session) => {
      await session.get('user')
      await visitOk(bench.another(), cookie, (other) => other.destroy())
      const { isHeld, release } = hold('replace')
      session.set('a', 1)
      const save = session.save()
      const isRejected = expect(save).rejects.toThrow(SessionEndedError)
      await isHeld
      session.regenerateId()
      session.set('user', 'u2')
      release()
      await isRejected
    })
    expect(await read(next.cookie)).toEqual({ user: 'u2' })
    expect(await read(cookie)).toEqual({})
  })

  it('A2: a save whose load failed can be repeated', async () => {
    const cookie = await begin()
    bench.store.before = failing('get')
    await visitOk(bench.manager, cookie, async (session) => {
      session.set('a', 1)
      await expect(session.save()).rejects.toThrow(StoreUnavailableError)
      await session.save()
    })
    expect(await read(cookie)).toEqual({ n: 1, a: 1 })
  })

  it('S10: a destroy after a read that failed is carried out all the same', async () => {
    const cookie = await begin()
    bench.store.before = failing('get')
    await visitOk(bench.manager, cookie, async (session) => {
      await expect(session.get('n')).rejects.toThrow(StoreUnavailableError)
      session.destroy()
    })
    expect(await read(cookie)).toEqual({})
  })

  it("D3: a 5xx page of the application's own stands after an update that could not load", async () => {
    const cookie = await begin()
    bench.store.before = failing('get')
    const { error } = await visit(
      bench.manager,
      cookie,
      (session) => session.update('n', plusOne).catch(() => {}),
      { status: 503 },
    )
    expect(error).toBeUndefined()
    expect(bench.events()).toEqual(['store-error', 'dropped'])
  })

  it('a key that is not a string is refused, and nothing is lost', async () => {
    const cookie = await begin()
    await visitOk(bench.manager, cookie, (session) => {
      for (const key of [42, undefined, null, {}, Symbol('s')] as never[]) {
        const writes = [
          () => session.set(key, 1 as never),
          () => session.delete(key),
          () => session.update(key, plusOne as never),
          () => session.take(key),
        ]
        for (const write of writes) expect(write).toThrow(/^key: expected a string, got /)
      }
    })
    expect(await read(cookie)).toEqual({ n: 1 })
  })

  it('F6: a logger that fails, now or later, costs neither the session nor the process', async () => {
    const rejections: unknown[] = []
    const listener = (reason: unknown) => rejections.push(reason)
    process.on('unhandledRejection', listener)
    const onEvents: (() => never)[] = [
      () => {
        throw new Error('logger')
      },
      (async () => {
        throw new Error('logger')
      }) as never,
    ]
    for (const onEvent of onEvents) {
      const { cookie } = await visitOk(bench.another({ onEvent }), undefined, (session) =>
        session.set('n', 1),
      )
      expect(await read(cookie)).toEqual({ n: 1 })
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
    process.off('unhandledRejection', listener)
    expect(rejections).toEqual([])
  })
})
