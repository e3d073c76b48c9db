import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { SessionDataError, type Session } from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { stores } from '../../support/stores.ts'
import { visit, visitOk } from '../../support/visit.ts'

describe.each(stores)('the commit on $name', ({ open }) => {
  const bench = useBench(open())

  const begin = (data: Record<string, unknown> = { user: 'u1', cart: { items: ['rope'] } }) =>
    bench.begin(data)
  const read = (cookie: string) => bench.read(cookie)

  it.each<[string, (session: Session) => unknown]>([
    ['reading', (session) => session.entries()],
    ['set to an equal value', (session) => session.set('cart', { items: ['rope'] })],
    ['deleting what is not there', (session) => session.delete('nothing')],
    ['an update that changes nothing', (session) => session.update('user', (user: string) => user)],
    [
      'a change taken back',
      async (session) => {
        const cart = await session.get('cart')
        cart.items.push('anchor')
        cart.items.pop()
      },
    ],
    ['a set taken back', (session) => (session.set('user', 'u2'), session.set('user', 'u1'))],
    ['taking what is not there', (session) => session.take('nothing')],
  ])('D2: %s is no change', async (_, handler) => {
    const cookie = await begin()
    await visitOk(bench.manager, cookie, handler)
    expect(bench.store.operations).toEqual(['get'])
  })

  it.each<[string, (session: Session) => unknown, unknown]>([
    [
      'a nested change to what get returned',
      async (session) => (await session.get('cart')).items.push('anchor'),
      { user: 'u1', cart: { items: ['rope', 'anchor'] } },
    ],
    [
      'a nested change to what entries returned',
      async (session) => (await session.entries()).cart.items.pop(),
      { user: 'u1', cart: { items: [] } },
    ],
    [
      'a nested change to what update returned',
      async (session) => {
        const cart = await session.update('cart', (cart: any) => ({ ...cart, count: 1 }))
        cart.items.push('anchor')
      },
      { user: 'u1', cart: { items: ['rope', 'anchor'], count: 1 } },
    ],
    [
      'a change to a value after set',
      (session) => {
        const cart = { items: ['chain'] }
        session.set('cart', cart)
        cart.items.push('anchor')
      },
      { user: 'u1', cart: { items: ['chain', 'anchor'] } },
    ],
    [
      'a change to a value that was saved',
      async (session) => {
        const cart = { items: ['chain'] }
        session.set('cart', cart)
        await session.save()
        cart.items.push('anchor')
      },
      { user: 'u1', cart: { items: ['chain', 'anchor'] } },
    ],
    ['a delete', (session) => session.delete('cart'), { user: 'u1' }],
    ['set to undefined', (session) => session.set('cart', undefined), { user: 'u1' }],
    ['clear', (session) => session.clear(), {}],
    ['take', (session) => session.take('user'), { cart: { items: ['rope'] } }],
    [
      'an update that nobody awaits',
      (session) => void session.update('user', (user: string) => `${user}!`),
      { user: 'u1!', cart: { items: ['rope'] } },
    ],
  ])('D2: %s is a change', async (_, handler, expected) => {
    const cookie = await begin()
    await visitOk(bench.manager, cookie, handler)
    expect(await read(cookie)).toEqual(expected)
  })

  it.each([
    ['a thrown error', { error: new Error('the handler failed') }],
    ['a thrown non-error', { error: 'the handler failed' }],
    ['a 500 error', { error: Object.assign(new Error('failed'), { status: 500 }) }],
    ['a status of 500', { status: 500 }],
    ['a status of 503', { status: 503 }],
    ['an error that says 600', { error: Object.assign(new Error('failed'), { status: 600 }) }],
    ['an error that says 99', { error: Object.assign(new Error('failed'), { statusCode: 99 }) }],
    ['an error that says 404.5', { error: Object.assign(new Error('failed'), { status: 404.5 }) }],
    ["an error that says '404'", { error: Object.assign(new Error('failed'), { status: '404' }) }],
    [
      'an error of 502 and 404',
      { error: Object.assign(new Error('failed'), { status: 502, statusCode: 404 }) },
    ],
    ['what is no error, and says 404', { error: { status: 404 } }],
    ['nothing that was thrown', { error: null }],
  ])('D3: %s drops changes', async (_, response) => {
    const cookie = await begin()
    const { setCookie, error } = await visit(
      bench.manager,
      cookie,
      (session) => {
        session.set('user', 'u2')
        session.regenerateId()
      },
      response,
    )
    expect([setCookie, error]).toEqual([undefined, undefined])
    expect(bench.events()).toEqual(['dropped'])
    expect(await read(cookie)).toMatchObject({ user: 'u1' })
  })

  it.each([
    ['a thrown 401', { status: 401, error: Object.assign(new Error('who?'), { status: 401 }) }],
    [
      'a thrown 403 that an error handler made a 500',
      { status: 500, error: Object.assign(new Error('no'), { status: 403 }) },
    ],
    ['a status of 404', { status: 404 }],
    ['a status of 499', { status: 499 }],
    ['a thrown 404 of `statusCode`', { error: Object.assign(new Error('no'), { statusCode: 404 }) }],
    [
      'a thrown 404 of another realm',
      { error: runInNewContext('Object.assign(new Error(), { status: 404 })') },
    ],
  ])('D3: %s is an answer, and changes stick', async (_, response) => {
    const cookie = await begin()
    await visit(bench.manager, cookie, (session) => session.set('attempts', 3), response)
    expect(await read(cookie)).toMatchObject({ attempts: 3 })
  })

  it('D3: destroy is carried out and its cookie cleared though the handler failed', async () => {
    const cookie = await begin()
    const { setCookie } = await visit(
      bench.manager,
      cookie,
      (session) => {
        session.destroy()
        session.set('flash', 'bye')
      },
      { error: new Error('the handler failed') },
    )
    expect(setCookie).toContain('__Host-session=; Path=/; Max-Age=0')
    expect(await read(cookie)).toEqual({})
  })

  it('D3: what save had committed stays, cookie included', async () => {
    const { cookie, setCookie } = await visit(
      bench.manager,
      undefined,
      async (session) => {
        session.set('user', 'u1')
        await session.save()
        session.set('user', 'u2')
      },
      { error: new Error('the handler failed') },
    )
    expect(setCookie).toBeDefined()
    expect(await read(cookie)).toEqual({ user: 'u1' })
  })

  it('D4: other cookies survive, and one session cookie goes out', async () => {
    const headers = new Headers([
      ['Set-Cookie', 'theme=dark'],
      ['Set-Cookie', 'lang=en'],
    ])
    await visit(
      bench.manager,
      undefined,
      async (session) => {
        session.set('user', 'u1')
        await session.save()
        session.regenerateId()
        await session.save()
        session.setTimeouts({ persistent: false })
      },
      { headers },
    )
    expect(headers.getSetCookie()).toHaveLength(3)
    expect(headers.getSetCookie().slice(0, 2)).toEqual(['theme=dark', 'lang=en'])
  })

  it('D5: a session of another manager is refused, one of the same joined', () => {
    const session = bench.manager.open(undefined)
    expect(bench.manager.joins(session)).toBe(true)
    expect(bench.manager.joins(undefined)).toBe(false)
    expect(() => bench.another().joins(session)).toThrow(
      expect.objectContaining({ code: 'ERR_SESSION_MOUNTED_TWICE' }),
    )
  })

  it('D6: a Secure cookie over plain http to another host is told once', async () => {
    const signIn = (response: { url: string; forwardedProto?: string }) =>
      visit(bench.manager, undefined, (session) => session.set('user', 'u1'), response)
    for (const host of ['localhost:3000', '127.0.0.1', '[::1]:80', 'shop.localhost'])
      await signIn({ url: `http://${host}/` })
    await signIn({ url: 'https://shop.example/' })
    await signIn({ url: 'http://shop.example/', forwardedProto: 'https' })
    await signIn({ url: 'http://shop.example/', forwardedProto: 'HTTPS, http' })
    expect(bench.events()).not.toContain('insecure-cookie')
    await signIn({ url: 'http://shop.example/', forwardedProto: 'http' })
    await signIn({ url: 'http://shop.example/' })
    expect(bench.events().filter((type) => type === 'insecure-cookie')).toHaveLength(1)
  })

  it.each<[string, unknown]>([
    ['cart.self: expected JSON, got a cycle', cycle()],
    ['cart.n: expected JSON, got a bigint', { n: 1n }],
    ['cart[1]: expected JSON, got a function', [1, () => 1]],
    ['cart: expected JSON, got a symbol', Symbol('s')],
    ['cart.a[0].b: expected JSON, got NaN', { a: [{ b: NaN }] }],
    ['cart: expected JSON, got Infinity', Infinity],
    ['cart: expected JSON, got -Infinity', -Infinity],
    ['cart.when: expected JSON, got an instance of Date', { when: new Date(0) }],
    ['cart: expected JSON, got an instance of Map', new Map()],
    ['cart: expected JSON, got an instance of Promise', Promise.resolve(1)],
  ])('D7: %s', async (message, value) => {
    const cookie = await begin()
    const { error } = await visit(bench.manager, cookie, (session) => {
      session.set('user', 'u2')
      expect(() => session.set('cart', value)).not.toThrow()
    })
    expect(error).toBeInstanceOf(SessionDataError)
    expect(error).toMatchObject({ code: 'ERR_SESSION_NOT_SERIALIZABLE', message })
    expect(bench.store.operations).toEqual([])
    expect(await read(cookie)).toEqual({ user: 'u1', cart: { items: ['rope'] } })
  })

  it('D7: too large fails before sending, names sizes, and leaves the stored session', async () => {
    const cookie = await begin()
    const { error } = await visit(bench.manager, cookie, (session) =>
      session.set('cart', 'x'.repeat(1_100_000)),
    )
    if (bench.store.maxBytes === Infinity) return expect(error).toBeUndefined()
    expect(error).toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
    expect(String(error)).toMatch(/at most 1000000 bytes, got 11\d{5}; cart: 1100002 characters/)
    expect(bench.store.operations).toEqual(['get'])
    return expect(await read(cookie)).toMatchObject({ user: 'u1', cart: { items: ['rope'] } })
  })

  it('D7: a save that failed can be mended and repeated', async () => {
    const cookie = await begin()
    await visitOk(bench.manager, cookie, async (session) => {
      session.set('user', 'u2')
      session.set('cart', 1n)
      await expect(session.save()).rejects.toThrow(SessionDataError)
      session.delete('cart')
      await session.save()
    })
    expect(await read(cookie)).toEqual({ user: 'u2' })
  })

  it('every write after the commit throws', async () => {
    const session = bench.manager.open(await begin())
    await bench.manager.commit(session, () => ({ status: 200, headers: new Headers() }))
    const writes: ((session: Session) => unknown)[] = [
      (late) => late.set('user', 'u2'),
      (late) => late.delete('user'),
      (late) => late.clear(),
      (late) => late.update('user', (user: string) => user),
      (late) => late.take('user'),
      (late) => late.regenerateId(),
      (late) => late.destroy(),
      (late) => late.setTimeouts({ idle: false }),
      (late) => late.signIn('u1'),
      (late) => late.save(),
    ]
    const committed = expect.objectContaining({ code: 'ERR_SESSION_COMMITTED' })
    for (const write of writes) expect(() => write(session)).toThrow(committed)
  })

  it('after destroy the session reads empty, and what is set later begins a new one', async () => {
    const cookie = await begin()
    const next = await visitOk(bench.manager, cookie, async (session) => {
      await session.get('user')
      session.destroy()
      expect(await session.exists()).toBe(false)
      expect(await session.entries()).toEqual({})
      session.set('flash', 'signed out')
    })
    expect(next.cookie).not.toBe(cookie)
    expect(await read(next.cookie)).toEqual({ flash: 'signed out' })
    expect(await read(cookie)).toEqual({})
  })

  it('an update that nobody awaits fails the commit, not the process', async () => {
    const cookie = await begin()
    const { error } = await visit(bench.manager, cookie, (session) => {
      void session.update('user', () => {
        throw new Error('from the update')
      })
    })
    expect(error).toEqual(new Error('from the update'))
    expect(await read(cookie)).toMatchObject({ user: 'u1' })
  })

  it('an update whose function throws at once is not recorded', async () => {
    const cookie = await begin({ stock: 0 })
    const { error } = await visit(bench.manager, cookie, async (session) => {
      session.set('user', 'u2')
      const sold = session.update('stock', () => {
        throw new Error('sold out')
      })
      await expect(sold).rejects.toThrow('sold out')
    })
    expect(error).toBeUndefined()
    expect(await read(cookie)).toEqual({ stock: 0, user: 'u2' })
  })

  it('what is written while a save is under way is not lost', async () => {
    const cookie = await begin()
    await visitOk(bench.manager, cookie, async (session) => {
      await session.get('user')
      session.set('a', 1)
      bench.store.before = (operation) => {
        if (operation !== 'replace') return
        bench.store.before = () => {}
        session.set('a', 2)
        session.set('b', 1)
        void session.update('c', (c: number = 0) => c + 1)
      }
      await session.save()
    })
    expect(await read(cookie)).toMatchObject({ user: 'u1', a: 2, b: 1, c: 1 })
  })
})

function cycle(): unknown {
  const value: { self?: unknown } = {}
  value.self = value
  return value
}
