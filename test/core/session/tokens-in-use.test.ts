import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { stores } from '../../support/stores.ts'
import { failing } from '../../support/tampered-store.ts'
import { tokenOf, visit, visitOk } from '../../support/visit.ts'

describe.each(stores)('tokens on $name', ({ open }) => {
  const store = open()
  const bench = useBench(store)

  const begin = async (user: string) =>
    (await visitOk(bench.manager, undefined, (session) => session.set('user', user))).cookie

  it('B2: only well-formed tokens reach the store', async () => {
    const near = 'c'.repeat(43)
    for (const value of [
      '',
      near.slice(1),
      `${near}c`,
      `${near.slice(1)}=`,
      `"${near}"`,
      `${near.slice(1)}é`,
    ]) {
      await visitOk(bench.manager, `__Host-session=${value}`, (session) => session.entries())
    }
    expect(bench.store.operations).toEqual([])
  })

  it('B3: an unknown token is never adopted', async () => {
    const planted = `__Host-session=${'d'.repeat(43)}`
    const { cookie } = await visitOk(bench.manager, planted, (session) => session.set('user', 'u1'))
    expect(cookie).not.toBe(planted)
    const { result } = await visitOk(bench.manager, planted, (session) => session.entries())
    expect(result).toEqual({})
  })

  it('B4: an add that fails, or whose reply is lost, is tried once more under a new token', async () => {
    for (const stage of ['before', 'after'] as const) {
      bench.forget()
      bench.store[stage] = failing('add')
      const { cookie } = await visitOk(bench.manager, undefined, (session) => session.set('user', 'u1'))
      expect(bench.store.operations).toEqual(['add', 'add'])
      expect(new Set(bench.store.keys).size).toBe(2)
      const { result } = await visitOk(bench.manager, cookie, (session) => session.get('user'))
      expect(result).toBe('u1')
    }
  })

  it('B4: a second failure rejects, and no cookie goes out', async () => {
    bench.store.before = failing('add', 2)
    const { error, setCookie } = await visit(bench.manager, undefined, (session) => session.set('user', 'u1'))
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(setCookie).toBeUndefined()
    expect(bench.store.operations).toEqual(['add', 'add'])
  })

  it('B4: a key that is taken is not overwritten', async () => {
    const taken: string[] = []
    bench.store.before = async (operation, key) => {
      if (operation !== 'add' || taken.length > 0) return
      taken.push(key)
      await store.current.add(key, new Uint8Array([1, 2, 3]), 60)
    }
    await visitOk(bench.manager, undefined, (session) => session.set('user', 'u1'))
    expect(bench.store.operations).toEqual(['add', 'add'])
    const record = await store.current.get(taken[0] as string, 60)
    expect([...(record?.bytes ?? [])]).toEqual([1, 2, 3])
  })

  it('B5: the token reaches neither store, events nor errors', async () => {
    const cookie = await begin('telling user')
    const token = tokenOf(cookie)
    bench.store.before = (operation) => {
      if (operation === 'replace') throw new Error('tampered with')
    }
    const { error } = await visit(bench.manager, cookie, (session) => session.set('user', 'telling too'))
    expect(error).toBeInstanceOf(StoreUnavailableError)
    const told = JSON.stringify(bench.lastEvents, (_, value: unknown) =>
      value instanceof Error ? `${value.stack} ${String(value.cause)}` : value,
    )
    expect(told).toContain('tampered with')
    for (const secretText of [token, ...bench.store.keys, 'telling user', 'telling too']) {
      expect(`${told} ${String(error)} ${(error as Error).stack}`).not.toContain(secretText)
    }
    expect(bench.store.keys.join(' ')).not.toContain(token)
  })

  it('S5: a token that is right but for one character is asked about like any other, under a key that is no closer', async () => {
    const cookie = await begin('u1')
    const token = tokenOf(cookie)
    const [genuine] = bench.store.keys
    bench.forget()
    for (let place = 0; place < token.length; place++) {
      const other = token[place] === 'A' ? 'B' : 'A'
      const near = `__Host-session=${token.slice(0, place)}${other}${token.slice(place + 1)}`
      const { result } = await visitOk(bench.manager, near, (session) => session.exists())
      expect(result).toBe(false)
    }
    expect(bench.store.operations).toEqual(Array.from(token, () => 'get'))
    expect(new Set(bench.store.keys).size).toBe(token.length)
    const genuineBytes = Buffer.from(genuine!, 'base64url')
    for (const key of bench.store.keys) {
      const differing = Buffer.from(key, 'base64url').map((byte, index) => byte ^ genuineBytes[index]!)
      const bits = [...differing].join(' ').replaceAll(/\d+/g, (byte) => Number(byte).toString(2))
      // 128 ± 8 bits differ by chance; 64 is 8 standard deviations below.
      expect(bits.match(/1/g)!.length).toBeGreaterThan(64)
    }
  })

  it('S5: a session, a manager and an error that are printed show no token, key or data', async () => {
    const cookie = await begin('a very telling name')
    const session = bench.manager.open(cookie)
    await session.get('user')
    session.set('cart', 'another telling one')
    bench.store.before = failing('replace', 9)
    const error = await session.save().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(StoreUnavailableError)
    for (const printed of [session, bench.manager, error]) {
      const shown = `${inspect(printed, { depth: Infinity, showHidden: true })} ${JSON.stringify(printed)}`
      for (const secretText of [tokenOf(cookie), bench.store.keys[0]!, 'telling']) {
        expect(shown).not.toContain(secretText)
      }
    }
  })

  it('B6: the one live session among several cookies wins', async () => {
    const cookie = await begin('u1')
    const header = `__Host-session=${'e'.repeat(43)}; other=1; ${cookie}; __Host-session=nonsense`
    const { result } = await visitOk(bench.manager, header, (session) => session.get('user'))
    expect(result).toBe('u1')
  })

  it('B6: at most four tokens are tried', async () => {
    const fillers = ['f', 'g', 'h', 'i'].map((letter) => `__Host-session=${letter.repeat(43)}`)
    const cookie = await begin('u1')
    bench.forget()
    const { result } = await visitOk(bench.manager, [...fillers, cookie].join('; '), (session) =>
      session.get('user'),
    )
    expect(result).toBeUndefined()
    expect(bench.store.operations).toHaveLength(4)
  })

  it('B6: two live sessions are refused: reads empty, writes dropped, no cookie', async () => {
    const [one, two] = [await begin('u1'), await begin('u2')]
    bench.forget()
    const { result, setCookie } = await visitOk(bench.manager, `${one}; ${two}`, async (session) => {
      session.set('user', 'u3')
      return { exists: await session.exists(), had: await session.has('cart') }
    })
    expect(result).toEqual({ exists: false, had: false })
    expect(setCookie).toBeUndefined()
    expect(bench.events()).toEqual(['duplicate-cookie', 'dropped'])
    const { result: untouched } = await visitOk(bench.manager, one, (session) => session.get('user'))
    expect(untouched).toBe('u1')
  })

  it('B6: signing in or out with two live sessions ends both', async () => {
    for (const act of ['regenerateId', 'destroy'] as const) {
      const [one, two] = [await begin('u1'), await begin('u2')]
      const healed = await visitOk(bench.manager, `${one}; ${two}`, (session) => {
        session[act]()
        if (act === 'regenerateId') session.set('user', 'u3')
      })
      for (const cookie of [one, two]) {
        const { result } = await visitOk(bench.manager, cookie, (session) => session.exists())
        expect(result).toBe(false)
      }
      const next = await visitOk(bench.manager, `${one}; ${healed.cookie}`, (session) => session.get('user'))
      expect(next.result).toBe(act === 'regenerateId' ? 'u3' : undefined)
    }
  })

  it('B6: when one of several cannot be asked about, the load rejects', async () => {
    const cookie = await begin('u1')
    bench.store.before = failing('get')
    const session = bench.manager.open(`__Host-session=${'j'.repeat(43)}; ${cookie}`)
    await expect(session.get('user')).rejects.toThrow(StoreUnavailableError)
  })
})
