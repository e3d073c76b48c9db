import { describe, expect, it } from 'vitest'
import { Keyring } from '../../../src/core/crypto/keyring.ts'
import { useBench } from '../../support/managers.ts'
import { secret, stores } from '../../support/stores.ts'
import { tokenOf, visitOk } from '../../support/visit.ts'

const newSecret = 'the secret that replaces the one before, as long'

describe.each(stores)('sealing on $name', ({ open }) => {
  const store = open()
  const bench = useBench(store)

  const begin = async (user: string, manager = bench.manager) => {
    const { cookie } = await visitOk(manager, undefined, (session) => session.set('user', user))
    return { cookie, key: bench.store.keys.at(-1) as string }
  }
  const userOf = async (cookie: string, manager = bench.manager) =>
    (await visitOk(manager, cookie, (session) => session.get('user'))).result
  const bytesOf = async (key: string) => (await store.current.get(key, 600))?.bytes as Uint8Array
  const plant = (key: string, bytes: Uint8Array) => store.current.set(key, bytes, 600)

  it('G1: the store key is 43 characters of base64url and does not depend on the secret', async () => {
    const { cookie, key } = await begin('u1')
    expect(key).toMatch(/^[A-Za-z0-9_-]{43}$/)
    await userOf(cookie, bench.another({ secret: newSecret }))
    expect(bench.store.keys.at(-1)).toBe(key)
  })

  it('G2: the store holds neither token nor data', async () => {
    const { cookie, key } = await begin('a very telling name')
    const dump = Buffer.from(await bytesOf(key)).toString('latin1')
    for (const secretText of [cookie.split('=')[1] as string, 'telling', 'user']) {
      expect(dump).not.toContain(secretText)
    }
  })

  it('G2: a record moved, altered, cut, or made without the secret is refused as invalid', async () => {
    const [mine, others] = [await begin('u1'), await begin('u2')]
    const genuine = await bytesOf(mine.key)
    const altered = genuine.slice()
    altered[20] = (altered[20] as number) ^ 1
    const strangers = new Keyring('__Host-session', () => [new TextEncoder().encode(newSecret)])
    const envelope = '{"deadline":9e15,"generation":1,"writeIds":"","newIds":0,"newSince":0,"keys":["user"]}'
    const text = `${envelope}\n"root"`
    const forgeries = [
      await bytesOf(others.key),
      altered,
      genuine.slice(0, -1),
      new Uint8Array(),
      new TextEncoder().encode(text),
      await strangers.seal({ token: tokenOf(mine.cookie), storeKey: mine.key }, text),
    ]
    for (const forgery of forgeries) {
      await plant(mine.key, forgery)
      bench.forget()
      expect(await userOf(mine.cookie)).toBeUndefined()
      expect(bench.events()).toEqual(['invalid'])
      const next = await visitOk(bench.manager, mine.cookie, (session) => session.set('user', 'new'))
      expect(next.cookie).not.toBe(mine.cookie)
      expect(await bytesOf(mine.key)).toEqual(forgery)
    }
    await plant(mine.key, genuine)
    expect(await userOf(mine.cookie)).toBe('u1')
  })

  it('G3: all secrets open, the first seals, and nothing moves', async () => {
    const { cookie, key } = await begin('u1')
    const rotated = bench.another({ secret: [newSecret, secret] })
    expect(await userOf(cookie, rotated)).toBe('u1')
    const keyId = async () => Buffer.from(await bytesOf(key)).toString('hex', 1, 5)
    const before = await keyId()
    await visitOk(rotated, cookie, (session) => session.set('user', 'u2'))
    expect(await keyId()).not.toBe(before)
    expect(await userOf(cookie, bench.another({ secret: newSecret }))).toBe('u2')
    expect(await userOf(cookie, bench.another({ secret }))).toBeUndefined()
  })

  it('G4: __proto__ and its kind are keys like any other', async () => {
    const { cookie } = await visitOk(bench.manager, undefined, (session) => {
      for (const key of ['__proto__', 'constructor', 'toString']) session.set(key, { polluted: true })
      session.set('nested', JSON.parse('{"__proto__":{"polluted":true}}'))
    })
    const { result } = await visitOk(bench.manager, cookie, (session) => session.entries())
    expect(Object.keys(result)).toEqual(['__proto__', 'constructor', 'toString', 'nested'])
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    const { result: missing } = await visitOk(bench.manager, cookie, (session) => session.get('valueOf'))
    expect(missing).toBeUndefined()
  })

  it('G1: the cookie name keeps two managers with one secret apart', async () => {
    const { cookie } = await begin('u1')
    const other = bench.another({ cookie: { name: '__Host-admin' } })
    expect(await userOf(cookie.replace('__Host-session', '__Host-admin'), other)).toBeUndefined()
  })
})
