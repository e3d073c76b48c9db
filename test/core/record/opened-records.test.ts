import crypto from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Session, SessionStore } from '../../../src/core/index.ts'
import { Keyring } from '../../../src/core/crypto/keyring.ts'
import { OpenedRecords } from '../../../src/core/record/opened-records.ts'
import { createBench, useBench } from '../../support/managers.ts'
import { secret, stores } from '../../support/stores.ts'
import { failing } from '../../support/tampered-store.ts'
import { tokenOf, visit, visitOk } from '../../support/visit.ts'

const MOST_RECORDS = 10_000
const MOST_BYTES = 16_777_216
const MINUTE_MS = 60_000
const bytesOf = (text: string | number) => new TextEncoder().encode(`${text}`)

describe('OpenedRecords', () => {
  let now = 0
  let opened: OpenedRecords
  beforeEach(() => {
    now = 5_000
    opened = new OpenedRecords(() => now)
  })
  const remember = (key: string) => opened.remember(key, bytesOf(`sealed ${key}`), key)
  const recall = (key: string, sealed: Uint8Array) => opened.recall(key, sealed, (text) => ({ text }))?.text
  const knows = (key: string) => recall(key, bytesOf(`sealed ${key}`)) !== undefined

  it('S67: knows bytes that are equal to the last one, under their own key, and no others', () => {
    const sealed = crypto.getRandomValues(new Uint8Array(300))
    opened.remember('a', sealed.slice(), 'plain €')
    for (let index = 0; index < sealed.length; index++) {
      const altered = sealed.slice()
      altered[index]! ^= 1
      expect(recall('a', altered)).toBeUndefined()
    }
    expect(recall('a', sealed.slice(0, -1))).toBeUndefined()
    expect(recall('a', new Uint8Array([...sealed, 0]))).toBeUndefined()
    expect(recall('a', new Uint8Array())).toBeUndefined()
    expect(recall('b', sealed)).toBeUndefined()
    expect(recall('a', sealed)).toBe('plain €')
  })

  it('S67: keeps what was last remembered under a key alone, and forgets at once', () => {
    opened.remember('a', bytesOf('old'), '1')
    opened.remember('a', bytesOf('new'), '2')
    expect(recall('a', bytesOf('old'))).toBeUndefined()
    expect(recall('a', bytesOf('new'))).toBe('2')
    opened.forget('a')
    expect(recall('a', bytesOf('new'))).toBeUndefined()
  })

  it('S67: is whole again after each write into the memory of the last one, shorter or longer', () => {
    const texts = ['a long text of ours', 'short', '', 'é€'.repeat(9), 'x'.repeat(700), 'y'.repeat(690), 'z']
    for (const text of [...texts, ...texts.toReversed()]) {
      const sealed = bytesOf(`sealed: ${text}`)
      opened.remember('a', sealed, text)
      expect(recall('a', sealed)).toBe(text)
      const given = sealed.slice()
      sealed.fill(0)
      for (let time = 0; time < 3; time++) expect(recall('a', given)).toBe(text)
      expect(recall('a', sealed)).toBeUndefined()
    }
  })

  it('S67: what is recalled more than twice is not parsed again, and never taken for what was written since', () => {
    const decode = vi.fn((text: string) => ({ text }))
    const read = (n: number) => opened.recall('a', bytesOf(`sealed ${n}`), decode)
    for (let n = 1; n <= 3; n++) {
      opened.remember('a', bytesOf(`sealed ${n}`), `${n}`)
      const values = Array.from({ length: 5 }, () => read(n))
      expect(values.map((value) => value?.text)).toEqual(Array(5).fill(`${n}`))
      expect(decode).toHaveBeenCalledTimes(2 * n)
      expect(values[4]).toBe(values[1])
      expect(read(n + 1)).toBeUndefined()
    }
  })

  it('S67: what cannot be understood is known to nobody', () => {
    remember('a')
    for (let time = 0; time < 3; time++) {
      expect(opened.recall('a', bytesOf('sealed a'), () => undefined)).toBeUndefined()
    }
    expect(knows('a')).toBe(true)
  })

  it('S67: keeps the key of what was sealed here, for as long as the record and no longer', () => {
    const key = { secret: {} as never, bytes: bytesOf('key') }
    opened.remember('a', bytesOf('sealed a'), 'a', key)
    expect(opened.keyOf('a')).toBe(key)
    expect(opened.keyOf('b')).toBeUndefined()
    now += MINUTE_MS - 1
    expect(opened.keyOf('a')).toBe(key)
    now += 1
    expect(opened.keyOf('a')).toBeUndefined()
    opened.remember('a', bytesOf('sealed a'), 'a', key)
    opened.remember('a', bytesOf('sealed elsewhere'), 'a')
    expect(opened.keyOf('a')).toBeUndefined()
    opened.remember('a', bytesOf('sealed a'), 'a', key)
    opened.forget('a')
    expect(opened.keyOf('a')).toBeUndefined()
  })

  it('S67: keeps no more than 10 000 records, and those used last', () => {
    remember('used')
    for (let index = 0; index < 3 * MOST_RECORDS; index++) {
      remember(`${index}`)
      if (index % 1_000 === 0) expect(knows('used')).toBe(true)
    }
    for (let index = 0; index < 2 * MOST_RECORDS; index++) expect(knows(`${index}`)).toBe(false)
    for (let index = 3 * MOST_RECORDS - 4_000; index < 3 * MOST_RECORDS; index++) {
      expect(knows(`${index}`)).toBe(true)
    }
  })

  it('S67: keeps no more than 16 MiB, sealed and opened together', () => {
    const large = new Uint8Array(500_000)
    const text = 'x'.repeat(large.length)
    for (let index = 0; index < 64; index++) opened.remember(`${index}`, large, text)
    const known = Array.from({ length: 64 }, (_, index) => recall(`${index}`, large)).filter(Boolean)
    expect(known.length).toBeGreaterThanOrEqual(8)
    expect(known.length).toBeLessThanOrEqual(MOST_BYTES / 1_000_000)
    remember('small')
    opened.remember('too large', new Uint8Array(MOST_BYTES / 4 + 1), 'x')
    expect(recall('too large', new Uint8Array(MOST_BYTES / 4 + 1))).toBeUndefined()
    expect(knows('small')).toBe(true)
    // What was forgotten, or remembered anew, makes room again.
    for (let round = 0; round < 100; round++) {
      opened.remember('again', large, text)
      opened.remember('gone', large, text)
      opened.forget('gone')
    }
    expect(knows('small')).toBe(true)
  })

  it('S67: knows nothing for longer than a minute, however often it was used', () => {
    remember('a')
    for (let elapsed = 0; elapsed < MINUTE_MS; elapsed += 1_000) {
      expect(knows('a')).toBe(true)
      now += 1_000
    }
    expect(knows('a')).toBe(false)
    remember('a')
    expect(knows('a')).toBe(true)
  })

  it('S67: holds nothing in memory for longer than three minutes, as long as anything is asked', () => {
    const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } }
    setFlagsFromString('--expose-gc')
    const collect = Bun ? () => Bun.gc(true) : (runInNewContext('gc') as () => void)
    // Beside it lies the text, in memory that nobody else sees.
    const kept = (() => {
      const key = { secret: {} as never, bytes: bytesOf('key') }
      opened.remember('a', bytesOf('sealed a'), 'a', key)
      return new WeakRef(key)
    })()
    now += MINUTE_MS - 1
    expect(knows('a')).toBe(true)
    for (let second = 0; second < 120; second++) {
      now += 1_000
      knows('another')
    }
    return new Promise((resolve) => setTimeout(resolve)).then(() => {
      collect()
      expect(kept.deref()).toBeUndefined()
    })
  })
})

describe.each(stores)('what was opened lately, on $name', ({ open }) => {
  const store = open()
  const bench = useBench(store)
  const decipher = vi.spyOn(crypto, 'createDecipheriv')
  afterEach(() => decipher.mockClear())

  const userOf = async (cookie: string, manager = bench.manager) =>
    (await visitOk(manager, cookie, (session) => session.get('user'))).result
  const keyOf = async (cookie: string) =>
    (await new Keyring('__Host-session', () => [bytesOf(secret)]).keysOf(tokenOf(cookie))).storeKey
  const sealedOf = async (cookie: string) =>
    (await store.current.get(await keyOf(cookie), 600))!.bytes.slice()
  const plant = async (cookie: string, bytes: Uint8Array) =>
    store.current.set(await keyOf(cookie), bytes, 600)
  /** How many records are opened meanwhile. */
  const openedIn = async (run: () => Promise<unknown>) => {
    const before = decipher.mock.calls.length
    await run()
    return decipher.mock.calls.length - before
  }

  it('S67: the same bytes are opened once by each manager, and by the one that wrote them never', async () => {
    const cookie = await bench.begin({ user: 'u1' })
    const another = bench.another()
    expect(await openedIn(() => userOf(cookie))).toBe(0)
    expect(await openedIn(() => userOf(cookie, another))).toBe(1)
    expect(await openedIn(() => userOf(cookie, another))).toBe(0)
    await visitOk(another, cookie, (session) => session.set('user', 'u2'))
    expect(await openedIn(() => userOf(cookie, another))).toBe(0)
    expect(await openedIn(() => userOf(cookie))).toBe(1)
  })

  it('S67: what another process wrote is seen by the next read', async () => {
    const cookie = await bench.begin({ n: 0 })
    const another = bench.another()
    for (let n = 1; n <= 10; n++) {
      await visitOk(n % 2 ? another : bench.manager, cookie, (session) => session.set('n', n))
      expect(await bench.read(cookie)).toEqual({ n })
      const { result } = await visitOk(another, cookie, (session) => session.get('n'))
      expect(result).toBe(n)
    }
  })

  it('S67, G2: nothing else is served for it: neither altered, cut, another’s, nor an older record', async () => {
    const [cookie, others] = [await bench.begin({ user: 'u1' }), await bench.begin({ user: 'u2' })]
    const older = await sealedOf(cookie)
    await visitOk(bench.manager, cookie, (session) => session.set('user', 'newer'))
    const genuine = await sealedOf(cookie)
    expect(await userOf(cookie)).toBe('newer')
    const altered = genuine.slice()
    altered[altered.length - 20]! ^= 1
    for (const forgery of [altered, genuine.slice(0, -1), await sealedOf(others)]) {
      await plant(cookie, forgery)
      for (let time = 0; time < 2; time++) {
        bench.forget()
        expect(await userOf(cookie)).toBeUndefined()
        expect(bench.events()).toEqual(['invalid'])
      }
    }
    // What is put back is what it was (docs/security.md), as without any memory.
    await plant(cookie, older)
    expect(await userOf(cookie)).toBe('u1')
    await plant(cookie, genuine)
    expect(await userOf(cookie)).toBe('newer')
  })

  it('S67: a manager without the secret opens nothing that another one knows', async () => {
    const cookie = await bench.begin({ user: 'u1' })
    const stranger = bench.another({ secret: 'a secret of somebody else, as long as ours' })
    expect(await userOf(cookie)).toBe('u1')
    expect(await userOf(cookie, stranger)).toBeUndefined()
    expect(await userOf(cookie, stranger)).toBeUndefined()
  })

  it('S67, G3: what is known of an old secret is sealed with the new one at the next commit', async () => {
    const cookie = await bench.begin({ user: 'u1' })
    const newSecret = 'the secret that replaces the one before, as long'
    const rotated = bench.another({ secret: [newSecret, secret] })
    for (let time = 0; time < 2; time++) expect(await userOf(cookie, rotated)).toBe('u1')
    await visitOk(rotated, cookie, (session) => session.set('user', 'u2'))
    expect(await userOf(cookie, bench.another({ secret: newSecret }))).toBe('u2')
  })

  it('S67, G3: the key of a record is derived once by who writes it, and anew for another secret', async () => {
    const cipher = vi.spyOn(crypto, 'createCipheriv')
    onTestFinished(() => cipher.mockRestore())
    const cookie = await bench.begin({ n: 0 })
    const write = async (manager = bench.manager) => {
      await visitOk(manager, cookie, (session) => session.update('n', (n: number) => n + 1))
      return cipher.mock.lastCall![1]
    }
    const key = await write()
    expect(await write()).toBe(key)
    const rotated = bench.another({ secret: ['the secret that replaces the one before, as long', secret] })
    const fresh = await write(rotated)
    expect(fresh).not.toEqual(key)
    expect(await write(rotated)).toBe(fresh)
    expect(await bench.read(cookie)).toEqual({})
  })

  it('S67: values that were handed out and changed are not what the next request reads', async () => {
    const cookie = await bench.begin({ cart: ['rope'] })
    for (let time = 0; time < 4; time++) {
      const change = async (session: Session) => {
        ;((await session.get('cart')) as string[]).push('anchor')
        session.set('stray', true)
      }
      await visit(bench.manager, cookie, change, { status: 500 })
      expect(await bench.read(cookie)).toEqual({ cart: ['rope'] })
    }
  })

  it('S67, C2: what time decides is decided anew', async () => {
    const cookie = await bench.begin({ user: 'u1' })
    expect(await userOf(cookie)).toBe('u1')
    const key = await keyOf(cookie)
    const sealed = await sealedOf(cookie)
    bench.clock.ms += 1_209_600_000
    await store.current.set(key, sealed, 600)
    bench.forget()
    expect(await userOf(cookie)).toBeUndefined()
    expect(bench.events()).toEqual(['expired'])
  })

  it.each<[string, (session: Session) => unknown]>([
    ['destroy()', (session) => session.destroy()],
    ['regenerateId()', (session) => session.regenerateId()],
    [
      'a destroy() that lost every swap',
      (session) => {
        bench.store.before = async (operation, key) => {
          if (operation !== 'replace') return
          const { bytes } = (await store.current.get(key, 600))!
          await store.current.set(key, bytes, 600)
        }
        session.destroy()
      },
    ],
    [
      'a destroy() whose reply was lost',
      (session) => {
        bench.store.after = failing('replace')
        session.destroy()
      },
    ],
  ])('S67: ended by %s, nothing of the session is kept where it was ended', async (_, end) => {
    const cookie = await bench.begin({ user: 'u1' })
    const sealed = await sealedOf(cookie)
    expect(await openedIn(() => userOf(cookie))).toBe(0)
    await visitOk(bench.manager, cookie, end)
    bench.forget()
    await plant(cookie, sealed)
    expect(await openedIn(() => userOf(cookie))).toBe(1)
  })

  it('S67: gone from the store, nothing of the session is kept by who asked for it', async () => {
    const cookie = await bench.begin({ user: 'u1' })
    const sealed = await sealedOf(cookie)
    expect(await openedIn(() => userOf(cookie))).toBe(0)
    await store.current.delete(await keyOf(cookie))
    expect(await userOf(cookie)).toBeUndefined()
    await plant(cookie, sealed)
    expect(await openedIn(() => userOf(cookie))).toBe(1)
  })

  it('S67: ended by another, neither the session is kept nor its tombstone, which may hold the next token', async () => {
    const cookie = await bench.begin({ user: 'u1' })
    await visitOk(bench.another(), cookie, (session) => session.regenerateId())
    for (let time = 0; time < 2; time++) expect(await openedIn(() => userOf(cookie))).toBe(1)
  })
})

describe('a store that hands out its own buffer each time', () => {
  it('S67: changes it under the reader: the bytes are compared with copies, not with themselves', async () => {
    const buffer = new Uint8Array(2_000)
    const records = new Map<string, Uint8Array>()
    const careless: SessionStore = {
      async get(key) {
        const bytes = records.get(key)
        if (!bytes) return undefined
        buffer.set(bytes)
        return { bytes: buffer.subarray(0, bytes.length), version: 1 }
      },
      async add(key, bytes) {
        records.set(key, bytes)
        return 1
      },
      async replace(key, bytes) {
        records.set(key, bytes)
        return { outcome: 'replaced', version: 1 }
      },
      set: async (key, bytes) => void records.set(key, bytes),
      delete: async (key) => void records.delete(key),
    }
    const bench = createBench({ current: careless, countRecords: async () => records.size })
    const cookie = await bench.begin({ user: 'u1' })
    const [bytes] = records.values()
    for (const manager of [bench.manager, bench.another()]) {
      const read = async () => (await visitOk(manager, cookie, (session) => session.get('user'))).result
      expect(await read()).toBe('u1')
      bytes![30]! ^= 1
      expect(await read()).toBeUndefined()
      bytes![30]! ^= 1
      expect(await read()).toBe('u1')
    }
  })
})
