import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { base64url, is32Bytes } from '../../src/core/crypto/base64url.ts'
import { Keyring } from '../../src/core/crypto/keyring.ts'
import { nativePrimitives } from '../../src/core/crypto/native.ts'
import type { Primitives } from '../../src/core/crypto/primitives.ts'
import { webPrimitives } from '../../src/core/crypto/web.ts'
import { MemoryStore, SessionDataError, type Session } from '../../src/core/index.ts'
import { decodeMark, encodeMark } from '../../src/core/record/mark.ts'
import { decodeRecord } from '../../src/core/record/record.ts'
import { generateToken } from '../../src/core/http/token.ts'
import { seedOr } from '../model/seed.ts'
import { createBench } from '../support/managers.ts'
import { secret } from '../support/stores.ts'
import { tokenOf, visit } from '../support/visit.ts'
import { FUZZ_TIMEOUT_MS, runsOr } from './runs.ts'
import { ENTRY_ID, forgeries, markPlaintexts, noJson, plaintexts } from './tampering.ts'

const seed = seedOr(380_380_001)
const RUNS = runsOr(3_000)
const NAME = '__Host-session'
const NOW = 1_750_000_000_000

const utf8 = new TextEncoder()
const native = nativePrimitives()
if (!native) throw new Error('these tests need a runtime with node:crypto')
const ringWith = (using: Primitives, ...secrets: string[]) =>
  new Keyring(NAME, () => secrets.map((text) => utf8.encode(text)), using)
const [oldSecret, newSecret] = [secret, 'the secret that replaces the one before, as long']
const rings = [ringWith(native, newSecret, oldSecret), ringWith(webPrimitives, newSecret, oldSecret)]

const envelope = '{"deadline":9e15,"generation":1,"writeIds":"","newIds":0,"newSince":0,"keys":["user"]}'
const textsSealed = ['', envelope, `${envelope}\n"root"`, 'x'.repeat(2000)]

describe('opening what was tampered with', () => {
  it(
    'G2: gives the very plaintext for a record at its place, and nothing for any other bytes, natively and on WebCrypto',
    async () => {
      // By either crypto, and by either secret.
      const sealers = [...rings, ringWith(native, oldSecret), ringWith(webPrimitives, oldSecret)]
      const records = await Promise.all(
        sealers.flatMap((sealer) =>
          textsSealed.map(async (text) => {
            const keys = await sealer.keysOf(generateToken())
            return { keys, text, bytes: await sealer.seal(keys, text) }
          }),
        ),
      )
      // What is no record at all, and what it would be if it were taken for plain text.
      const genuine = [...records.map(({ bytes }) => bytes), ...textsSealed.map((text) => utf8.encode(text))]
      let opened = 0
      await fc.assert(
        fc.asyncProperty(forgeries(genuine), async ({ bytes, place }) => {
          const { keys, text, bytes: sealed } = records[place % records.length]!
          const { token, storeKey } = keys
          const elsewhere = records[(place + 1) % records.length]!.keys.storeKey
          const expected = Buffer.compare(bytes, sealed) === 0 ? text : undefined
          for (const ring of rings) {
            const before = bytes.slice()
            // Those that remember what opened the record before, and fresh ones.
            for (const each of [keys, { token, storeKey }]) {
              expect(await ring.open(each, bytes)).toBe(expected)
            }
            // With the right token, too, it opens only where it belongs.
            expect(await ring.open({ token, storeKey: elsewhere }, bytes)).toBeUndefined()
            expect(Buffer.compare(bytes, before)).toBe(0)
          }
          if (expected) opened++
        }),
        { numRuns: RUNS, seed, examples: records.map(({ bytes }, place) => [{ bytes, place }]) },
      )
      console.log(`records: ${RUNS} forgeries, seed ${seed}, ${opened} of them genuine`)
      expect(opened).toBeGreaterThan(records.length)
    },
    FUZZ_TIMEOUT_MS,
  )

  it(
    'E9, G2: the same holds for a user’s mark',
    async () => {
      const marks = await Promise.all(
        ['u1', 'u2'].flatMap((user) =>
          rings.map(async (ring, index) => {
            const keys = (await ring.markKeys(user))[index]!
            const list = encodeMark({ until: NOW, entries: [] })
            return { keys, list, bytes: await ring.sealMark(keys, list) }
          }),
        ),
      )
      await fc.assert(
        fc.asyncProperty(forgeries(marks.map(({ bytes }) => bytes)), async ({ bytes, place }) => {
          const { keys, list, bytes: sealed } = marks[place]!
          const expected = Buffer.compare(bytes, sealed) === 0 ? list : undefined
          for (const ring of rings) expect(await ring.openMark(keys, bytes)).toBe(expected)
        }),
        { numRuns: Math.ceil(RUNS / 5), seed },
      )
    },
    FUZZ_TIMEOUT_MS,
  )

  it(
    'G2, B3: a visitor whose record was tampered with is unknown, and the record is left alone',
    async () => {
      const { manager, store, begin, events, forget } = bench()
      const visitors = await Promise.all(
        ['u1', 'u2'].map(async (user) => {
          const cookie = await begin({ user })
          const { storeKey } = await rings[0]!.keysOf(tokenOf(cookie))
          return { user, cookie, storeKey, bytes: (await store.get(storeKey, 600))!.bytes }
        }),
      )
      await fc.assert(
        fc.asyncProperty(forgeries(visitors.map(({ bytes }) => bytes)), async ({ bytes, place }) => {
          const { user, cookie, storeKey, bytes: sealed } = visitors[place]!
          await store.set(storeKey, bytes, 600)
          forget()
          const { result, error } = await visit(manager, cookie, (session) => session.entries())
          expect(error).toBeUndefined()
          const isGenuine = Buffer.compare(bytes, sealed) === 0
          expect(result).toEqual(isGenuine ? { user } : {})
          expect(events()).toEqual([isGenuine ? 'loaded' : 'invalid'])
          expect(Buffer.compare((await store.get(storeKey, 600))!.bytes, bytes)).toBe(0)
        }),
        { numRuns: Math.ceil(RUNS / 5), seed },
      )
    },
    FUZZ_TIMEOUT_MS,
  )
})

describe('plaintext that somebody with the secret sealed', () => {
  it(
    'S45: is no record, or one whose every field is what it should be',
    () => {
      let understood = 0
      fc.assert(
        fc.property(plaintexts(NOW, ANY_KEYS), (plaintext) => {
          const record = decodeRecord(plaintext)
          if (!record) return
          understood++
          if ('ended' in record) {
            expect(['destroyed', 'regenerated']).toContain(record.ended)
            expect(record.endedAt).toSatisfy(Number.isFinite)
            const { token, userId } = record.successor ?? { token: 'k'.repeat(43) }
            expect(token).toSatisfy(is32Bytes)
            expect(userId ?? 'nobody').toSatisfy(isUserId)
            return
          }
          const {
            deadline,
            generation,
            writeIds,
            newIds,
            newSince,
            idleTimeout,
            persistent,
            signedIn,
            texts,
          } = record
          for (const number of [deadline, generation, newIds, newSince])
            expect(number).toSatisfy(Number.isFinite)
          expect(Math.ceil(deadline / 1000)).toSatisfy(Number.isSafeInteger)
          expect(writeIds).toBeTypeOf('string')
          expect(idleTimeout || 1).toSatisfy(
            (seconds: number) => Number.isSafeInteger(seconds) && seconds >= 1,
          )
          expect([undefined, true, false]).toContain(persistent)
          if (signedIn) {
            expect(signedIn.userId).toSatisfy(isUserId)
            expect(signedIn.entryId).toMatch(/^[\w-]{22}$/)
            expect(signedIn.mark.keyId).toBeTypeOf('string')
            for (const key of [signedIn.mark.storeKey, signedIn.mark.sealKey])
              expect(key).toSatisfy(is32Bytes)
          }
          for (const entry of texts) expect(entry.map((each) => typeof each)).toEqual(['string', 'string'])
        }),
        { numRuns: RUNS, seed },
      )
      console.log(`plaintexts: ${RUNS}, seed ${seed}, ${understood} of them records`)
      expect(understood).toBeGreaterThan(RUNS / 10)
    },
    FUZZ_TIMEOUT_MS,
  )

  it(
    'S45, E9: is no list of a user, or one whose every field is what it should be',
    () => {
      let understood = 0
      fc.assert(
        fc.property(markPlaintexts(NOW), (plaintext) => {
          const mark = decodeMark(plaintext)
          if (!mark) return
          understood++
          const seconds = (idle: number) => Number.isSafeInteger(idle) && idle >= 1
          expect(mark.until).toSatisfy(isTime)
          for (const { id, label = '', signedInAt, lastSeenAt, idle, until } of mark.entries) {
            expect(id).toMatch(/^[\w-]{22}$/)
            expect(label).toBeTypeOf('string')
            expect([...label].length).toBeLessThanOrEqual(64)
            for (const time of [signedInAt, lastSeenAt, until]) expect(time).toSatisfy(isTime)
            expect(idle || 1).toSatisfy(seconds)
          }
        }),
        { numRuns: RUNS, seed },
      )
      console.log(`lists: ${RUNS}, seed ${seed}, ${understood} of them understood`)
      expect(understood).toBeGreaterThan(RUNS / 10)
    },
    FUZZ_TIMEOUT_MS,
  )

  const requests: Record<string, (session: Session) => unknown> = {
    reads: (session) => session.entries(),
    'reads one key': (session) => session.get('user'),
    writes: (session) => session.set('user', 'new'),
    updates: (session) => session.update('views', () => 1),
    takes: (session) => session.take('user'),
    clears: (session) => session.clear(),
    'sets timeouts': (session) => session.setTimeouts({ idle: 604_800, absolute: 600 }),
    regenerates: (session) => session.regenerateId(),
    'signs in': (session) => session.signIn('u1'),
    'signs in over it': (session) => session.signIn('u2', { keep: ['user'] }),
    'signs out': (session) => session.destroy(),
  }

  it(
    'S45, B3: whatever it says, no request fails over it',
    async () => {
      const { plant, plantMark, markKeys, manager, cookie, lastEvents, events, forget } =
        await benchWithToken()
      const sound = {
        id: ENTRY_ID,
        label: undefined,
        signedInAt: NOW,
        lastSeenAt: NOW,
        idle: 60,
        until: NOW + 1000,
      }
      const soundMark = encodeMark({ until: NOW + 1000, entries: [sound] })
      const mark = fc.oneof({ weight: 3, arbitrary: fc.constant(soundMark) }, markPlaintexts(NOW))
      const seen = new Set<string>()
      await fc.assert(
        fc.asyncProperty(
          plaintexts(NOW, markKeys),
          mark,
          fc.array(fc.constantFrom(...Object.keys(requests)), { minLength: 1, maxLength: 3 }),
          async (plaintext, list, names) => {
            await plant(plaintext)
            await plantMark(list)
            forget()
            for (const name of names) {
              const { error } = await visit(manager, cookie, (session) => requests[name]!(session))
              expect(error, `${name}: ${String(error)}`).toBeUndefined()
            }
            expect(lastEvents.filter(({ type }) => type === 'store-error')).toEqual([])
            for (const event of events()) seen.add(event)
          },
        ),
        { numRuns: Math.ceil(RUNS / 2), seed },
      )
      expect([...seen]).toEqual(expect.arrayContaining(['invalid', 'loaded', 'expired', 'ended']))
      expect([...seen]).toEqual(expect.arrayContaining(['saved', 'regenerated', 'signed-in', 'destroyed']))
    },
    FUZZ_TIMEOUT_MS,
  )

  it(
    'S45: a value that is no JSON fails the request that reads it, and the error does not show it',
    async () => {
      const { plant, manager, cookie } = await benchWithToken()
      const reading = fc.constantFrom('reads', 'reads one key', 'takes')
      await fc.assert(
        fc.asyncProperty(noJson, reading, async (text, name) => {
          await plant(`${envelope}\n${text}`)
          const failure = await visit(manager, cookie, (session) => requests[name]!(session)).catch(
            (error: unknown) => error,
          )
          expect(failure).toBeInstanceOf(SessionDataError)
          expect(inspect(failure)).not.toContain(text)
        }),
        { numRuns: Math.ceil(RUNS / 10), seed },
      )
    },
    FUZZ_TIMEOUT_MS,
  )
})

const ANY_KEYS = { keyId: 'AAAAAA', storeKey: 's'.repeat(43), sealKey: 'k'.repeat(43) }
const isUserId = (value: unknown) => typeof value === 'string' && value !== ''
const isTime = (value: number) => Math.abs(value) <= Number.MAX_SAFE_INTEGER

/** A visitor whose record, and whose user's list, is written by somebody with the secret. */
async function benchWithToken() {
  const ring = ringWith(native!, secret)
  const keys = await ring.keysOf(base64url(new Uint8Array(32).fill(7)))
  const benched = bench()
  const plant = async (plaintext: string) =>
    benched.store.set(keys.storeKey, await ring.seal(keys, plaintext), 600)
  const [markKeys] = await ring.markKeys('u1')
  const plantMark = async (plaintext: string) =>
    benched.store.set(markKeys!.storeKey, await ring.sealMark(markKeys!, plaintext), 600)
  return { ...benched, plant, plantMark, markKeys: markKeys!, cookie: `${NAME}=${keys.token}` }
}

/** On a clock that stands still. */
function bench() {
  const current = new MemoryStore({ now: () => NOW })
  const bench = createBench({ current, countRecords: async () => current.size })
  bench.clock.ms = NOW
  return bench
}
