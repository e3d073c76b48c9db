import { describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { stores } from '../../support/stores.ts'
import { failing } from '../../support/tampered-store.ts'
import { visit, visitOk } from '../../support/visit.ts'

describe.each(stores)('laziness on $name', ({ open }) => {
  const store = open()
  const bench = useBench(store)

  const signIn = async () => {
    const { cookie } = await visitOk(bench.manager, undefined, (session) => session.set('user', 'u1'))
    bench.forget()
    return cookie
  }

  it('A1: an untouched session does no I/O, reads no cookie, touches no header', async () => {
    const session = bench.manager.open(() => expect.unreachable('the cookie was asked for'))
    const describe = () => expect.unreachable('the response was asked for')
    expect(bench.manager.commit(session, describe)).toBeUndefined()
    expect(bench.store.operations).toEqual([])
    expect(bench.events()).toEqual([])
  })

  it('A1: a session that is committed already makes no promise and asks nothing of the response', async () => {
    const session = bench.manager.open(undefined)
    session.set('user', 'u1')
    await bench.manager.commit(session, () => ({ status: 200, headers: new Headers() }))
    bench.forget()
    const describe = () => expect.unreachable('the response was asked for')
    expect(bench.manager.commit(session, describe)).toBeUndefined()
    expect(bench.store.operations).toEqual([])
  })

  it('D1: a session stays open when its response cannot be described', async () => {
    const session = bench.manager.open(undefined)
    session.set('user', 'u1')
    const describe = () => {
      throw new Error('no such header')
    }
    expect(() => bench.manager.commit(session, describe)).toThrow('no such header')
    session.set('user', 'u2')
    const headers = new Headers()
    await bench.manager.commit(session, () => ({ status: 200, headers }))
    expect(headers.getSetCookie()).toHaveLength(1)
  })

  it('a commit that is given the response itself says what to write', () => {
    for (const touch of [false, true]) {
      const session = bench.manager.open(undefined)
      if (touch) session.set('user', 'u1')
      const response = { status: 200, headers: new Headers() } as never
      expect(() => bench.manager.commit(session, response)).toThrow(
        new TypeError(
          'commit: expected a function, commit(session, () => ({ status, headers })), got an object',
        ),
      )
    }
  })

  it('A2: concurrent reads share one load', async () => {
    const cookie = await signIn()
    const { result } = await visitOk(bench.manager, cookie, (session) =>
      Promise.all([session.get('user'), session.has('user'), session.entries(), session.exists()]),
    )
    expect(result).toEqual(['u1', true, { user: 'u1' }, true])
    expect(bench.store.operations).toEqual(['get'])
  })

  it('A2: a load that failed may be tried again, and then counts', async () => {
    const cookie = await signIn()
    bench.store.before = failing('get')
    const { result, error } = await visit(bench.manager, cookie, async (session) => {
      await expect(session.get('user')).rejects.toThrow(StoreUnavailableError)
      const user = await session.get('user')
      session.set('seen', true)
      return user
    })
    expect(result).toBe('u1')
    expect(error).toBeUndefined()
    const after = await visitOk(bench.manager, cookie, (session) => session.entries())
    expect(after.result).toEqual({ user: 'u1', seen: true })
  })

  it('A2: changes over an unread session are not written, and the commit rejects with the same error', async () => {
    const cookie = await signIn()
    bench.store.before = failing('get')
    let seen: unknown
    const { error, setCookie } = await visit(bench.manager, cookie, async (session) => {
      seen = await session.get('user').catch((reason: unknown) => reason)
      session.set('user', 'a default')
    })
    expect(error).toBe(seen)
    expect(setCookie).toBeUndefined()
    expect(bench.store.operations).toEqual(['get'])
    const after = await visitOk(bench.manager, cookie, (session) => session.get('user'))
    expect(after.result).toBe('u1')
  })

  it('A2: without changes such a request commits, so that a page may catch an outage and render', async () => {
    const cookie = await signIn()
    bench.store.before = failing('get')
    const { result, error } = await visit(bench.manager, cookie, (session) =>
      session.get('user').catch(() => 'somebody'),
    )
    expect(result).toBe('somebody')
    expect(error).toBeUndefined()
    expect(bench.store.operations).toEqual(['get'])
  })

  it('A3: reading never creates a record or a cookie, whatever the cookie holds', async () => {
    const before = await store.countRecords()
    const cookies = [undefined, '', '__Host-session=', '__Host-session=x', `__Host-session=${'a'.repeat(43)}`]
    for (let round = 0; round < 10_000; round++) {
      const { setCookie } = await visitOk(bench.manager, cookies[round % cookies.length], (session) =>
        session.entries(),
      )
      if (setCookie !== undefined) expect.unreachable(setCookie)
    }
    expect(await store.countRecords()).toBe(before)
    expect(new Set(bench.store.operations)).toEqual(new Set(['get']))
  })

  it('A4: destroy, clear and regenerateId without a live session create nothing', async () => {
    const before = await store.countRecords()
    for (const cookie of [undefined, `__Host-session=${'b'.repeat(43)}`]) {
      for (const act of ['destroy', 'clear', 'regenerateId'] as const) {
        const { setCookie } = await visitOk(bench.manager, cookie, (session) => session[act]())
        expect(setCookie?.includes('Max-Age=0') ?? true).toBe(true)
      }
    }
    expect(new Set(bench.store.operations)).toEqual(new Set(['get']))
    expect(await store.countRecords()).toBe(before)
  })

  it('A5: a session left without data stays', async () => {
    const cookie = await signIn()
    await visitOk(bench.manager, cookie, (session) => session.delete('user'))
    const { result } = await visitOk(bench.manager, cookie, async (session) => ({
      exists: await session.exists(),
      entries: await session.entries(),
    }))
    expect(result).toEqual({ exists: true, entries: {} })
  })
})
