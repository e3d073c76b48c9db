import { describe, expect, it } from 'vitest'
import { toJsonText } from '../../../src/core/draft/json.ts'
import {
  decodeRecord,
  encodeRecord,
  generateWriteId,
  lastForgotten,
  nextRecord,
  remembers,
  type LiveRecord,
  type SignedIn,
  type Tombstone,
} from '../../../src/core/record/record.ts'

const NOW = 1_750_000_000_000

const id = (name: string | number) => String(name).padEnd(11, '_')
/** As the record holds them. */
const ids = (...names: (string | number)[]) => names.map((name) => `${id(name)} `).join('')

function live(data: Iterable<[string, unknown]> = [], envelope: Partial<LiveRecord> = {}): LiveRecord {
  return {
    deadline: NOW + 1000,
    generation: 3,
    writeIds: ids(3, 2, 1),
    newIds: 1,
    newSince: NOW,
    texts: new Map([...data].map(([key, value]) => [key, toJsonText(key, value)!])),
    ...envelope,
  }
}

const tombstone: Tombstone = {
  ended: 'regenerated',
  endedAt: NOW,
  writeId: 'id',
  successor: { token: 'k'.repeat(43), userId: 'u1' },
}
const signedIn: SignedIn = {
  userId: 'u1',
  entryId: 'e'.repeat(22),
  mark: { keyId: 'AAAAAA', storeKey: 's'.repeat(43), sealKey: 'k'.repeat(43) },
}
const textsOf = (record: LiveRecord | Tombstone | undefined) =>
  record && 'texts' in record ? [...record.texts] : undefined
const roundTrip = (record: LiveRecord | Tombstone) => decodeRecord(encodeRecord(record))

describe('encoding a record', () => {
  it.each<[string, LiveRecord | Tombstone]>([
    ['a session without data', live()],
    [
      'a session with data',
      live([
        ['cart', { items: [1, { a: null }] }],
        ['views', 1],
      ]),
    ],
    ['timeouts of its own', live([], { idleTimeout: 60, persistent: false })],
    ['no idle timeout', live([], { idleTimeout: false, persistent: true })],
    ['a fractional time', live([], { deadline: NOW + 0.5 })],
    ['who signed in', live([], { signedIn })],
    ['who signed in, in words of any script', live([], { signedIn: { ...signedIn, userId: 'Zoë\n😀' } })],
    ['a tombstone of a sign-in', tombstone],
    ['a tombstone of a new token', { ...tombstone, successor: { token: 'k'.repeat(43) } }],
    ['a tombstone without successor', { ended: 'destroyed', endedAt: NOW, writeId: 'id' }],
  ])('G4: keeps %s', (_, record) => {
    expect(roundTrip(record)).toEqual(record)
  })

  const keys = [
    ['', ' ', '\n', '\r\n', '\u2028', '\0', '"', '\\', '{}', 'é', '😀', '\uD83D', '\uDE00x', '\uFEFF'],
    ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', 'then', 'toJSON'],
    ['texts', 'ended', 'endedAt', 'deadline', 'generation', 'writeIds', '0', 'length', 'x'.repeat(10_000)],
  ].flat()
  it('G4: every key is a key like any other, in the order it had', () => {
    const data = keys.map((key, index): [string, unknown] => [key, index])
    expect(textsOf(roundTrip(live(data)))).toEqual(data.map(([key, value]) => [key, String(value)]))
    for (const key of keys) expect(textsOf(roundTrip(live([[key, { [key]: key }]])))).toHaveLength(1)
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it('G4: __proto__ has no effect, at the top or inside', () => {
    const value = JSON.parse('{"__proto__":{"polluted":true}}')
    const record = roundTrip(
      live([
        ['__proto__', value],
        ['a', value],
      ]),
    ) as LiveRecord
    expect(record).not.toHaveProperty('polluted')
    expect(Object.getPrototypeOf(record)).toBe(Object.prototype)
    expect(record.texts.get('a')).toBe('{"__proto__":{"polluted":true}}')
    expect({}).not.toHaveProperty('polluted')
  })

  it('G4: every value is what it was', () => {
    const values = [
      ['', '\n', '\r\n"\n{}', '\u2028\u2029', '\0', 'é😀', '\uD83D', '\uDE00\uD83D', '\uFEFFx', ...keys],
      [null, true, false, 0, -1.5, 1e-300, Number.MAX_SAFE_INTEGER, [], {}, [[[]]], { '\n': ['\n'] }],
      ['x'.repeat(1_000_000), Array.from({ length: 50_000 }, (_, index) => ({ index }))],
    ].flat()
    const record = roundTrip(live(values.map((value, index): [string, unknown] => [`key ${index}`, value])))
    expect(textsOf(record)!.map(([, text]) => JSON.parse(text))).toEqual(values)
  })

  it('G4: data that looks like an envelope or a tombstone stays data', () => {
    const envelope = { ...live(), texts: {} }
    const data = [JSON.stringify(tombstone), `\n${JSON.stringify(tombstone)}\n`, tombstone, envelope]
    for (const value of data) {
      const record = live([
        ['a', value],
        [JSON.stringify(tombstone), value],
      ])
      expect(roundTrip(record)).toEqual(record)
    }
  })
})

describe('decoding a text', () => {
  const record = live([
    ['name', 'Zoë 😀'],
    ['', [1, 2]],
    ['z', { a: '\n' }],
  ])
  const genuine = [record, tombstone, live(), live([], { signedIn })].map(encodeRecord)

  /** `undefined`, or something that the rest of the code can work with. */
  function expectSound(text: string) {
    const decoded = decodeRecord(text)
    if (decoded === undefined) return
    if ('ended' in decoded) return expect(decoded.endedAt).toBeTypeOf('number')
    expect(decoded.deadline).toBeTypeOf('number')
    expect(decoded.generation).toBeTypeOf('number')
    expect(decoded.writeIds).toBeTypeOf('string')
    expect(decoded.texts).toBeInstanceOf(Map)
    for (const [key, text] of decoded.texts) expect([typeof key, typeof text]).toEqual(['string', 'string'])
  }

  it('S45: never throws, at whatever length the text is cut', () => {
    for (const text of genuine) {
      for (let length = 0; length < text.length; length++) {
        expectSound(text.slice(0, length))
        expectSound(text.slice(length + 1))
      }
    }
  })

  it('S45: a cut envelope and a key without value are no record', () => {
    const lines = genuine[0]!.split('\n')
    for (let length = 0; length < lines[0]!.length; length++) {
      expect(decodeRecord(genuine[0]!.slice(0, length)), `${length} characters`).toBeUndefined()
    }
    for (let count = 1; count < lines.length; count++) {
      expect(decodeRecord(lines.slice(0, count).join('\n')), `${count} lines`).toBeUndefined()
    }
  })

  it('S45: never throws, whichever bit is flipped', () => {
    for (const bytes of genuine.map((text) => Buffer.from(text))) {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Buffer.from(bytes)
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        expectSound(flipped.toString())
      }
    }
  })

  it('S45: random characters are no record', () => {
    for (let round = 0; round < 20_000; round++) {
      const bytes = crypto.getRandomValues(Buffer.alloc(round % 200))
      for (const encoding of ['utf8', 'latin1'] as const) {
        expect(decodeRecord(bytes.toString(encoding))).toBeUndefined()
      }
    }
  })

  const withKeys = (keys: string) =>
    `{"deadline":2,"generation":3,"writeIds":"","newIds":4,"newSince":5,"keys":${keys}}`
  const envelope = withKeys('[]')
  const withSignIn = (value: unknown) => envelope.replace('{', `{"signedIn":${JSON.stringify(value)},`)
  const withMark = (mark: unknown) => withSignIn({ ...signedIn, mark })
  const withSuccessor = (successor: unknown) =>
    JSON.stringify({ ended: 'regenerated', endedAt: 1, successor })

  it('S45: what the cases below change is understood without their changes', () => {
    expect(decodeRecord(withSignIn(signedIn))).toMatchObject({ signedIn })
    const successor = { token: 'k'.repeat(43), userId: 'u1' }
    expect(decodeRecord(withSuccessor(successor))).toMatchObject({ successor })
  })

  it.each([
    ['nothing', ''],
    ['white space', '  \n \n '],
    ['JSON that is no envelope: null', 'null'],
    ['JSON that is no envelope: a string', '"deadline"'],
    ['JSON that is no envelope: a list', '[]'],
    ['JSON that is no envelope: an empty object', '{}'],
    ['an envelope with a deadline of another type', envelope.replace('2', '"2"')],
    ['an envelope without generation', envelope.replace('"generation":3,', '')],
    ['an envelope with write ids of another type', envelope.replace('""', '[]')],
    ['an envelope with a deadline of null', envelope.replace('2', 'null')],
    ['an envelope with a deadline beyond all dates', envelope.replace('2', '1e300')],
    ['an envelope with half a generation', envelope.replace('3', '3.5')],
    ['an envelope with half a write id', envelope.replace('4', '4.5')],
    ['an envelope without the age of its write ids', envelope.replace('"newSince":5,', '')],
    ['an envelope with an idle timeout of another type', envelope.replace('{', '{"idleTimeout":"60",')],
    ['an envelope with an idle timeout of 0', envelope.replace('{', '{"idleTimeout":0,')],
    ['an envelope with a persistence of another type', envelope.replace('{', '{"persistent":1,')],
    ['an envelope with a sign-in of another type', withSignIn('u1')],
    ['an envelope with a sign-in of null', withSignIn(null)],
    ['an envelope with a sign-in of nobody', withSignIn({ ...signedIn, userId: undefined })],
    ['an envelope with a sign-in of an empty user id', withSignIn({ ...signedIn, userId: '' })],
    ['an envelope with a sign-in of a user id of another type', withSignIn({ ...signedIn, userId: 1 })],
    ['an envelope with a sign-in without entry', withSignIn({ ...signedIn, entryId: undefined })],
    ['an envelope with a sign-in of half an entry', withSignIn({ ...signedIn, entryId: 'e'.repeat(21) })],
    [
      'an envelope with a sign-in of an entry of another alphabet',
      withSignIn({ ...signedIn, entryId: ' '.repeat(22) }),
    ],
    ['an envelope with a sign-in without mark', withSignIn({ ...signedIn, mark: undefined })],
    ['an envelope with a mark of another type', withMark('s')],
    ['an envelope with a mark without secret', withMark({ ...signedIn.mark, keyId: undefined })],
    ['an envelope with a mark of a secret of another type', withMark({ ...signedIn.mark, keyId: 1 })],
    ['an envelope with a mark without store key', withMark({ ...signedIn.mark, storeKey: undefined })],
    [
      'an envelope with a mark of a store key of another shape',
      withMark({ ...signedIn.mark, storeKey: 's' }),
    ],
    ['an envelope with a mark without a key to seal it', withMark({ ...signedIn.mark, sealKey: undefined })],
    [
      'an envelope with a mark of a seal key of another shape',
      withMark({ ...signedIn.mark, sealKey: 'k'.repeat(44) }),
    ],
    ['an envelope under __proto__', `{"__proto__":${envelope}}`],
    ['a tombstone without time', '{"ended":"destroyed"}'],
    ['a tombstone with a time of another type', '{"ended":"destroyed","endedAt":"1"}'],
    ['a tombstone with a time beyond all dates', '{"ended":"destroyed","endedAt":1e300}'],
    ['a tombstone of another kind', '{"ended":true,"endedAt":1}'],
    ['a tombstone with a successor of another type', withSuccessor('k'.repeat(43))],
    ['a tombstone with a successor of null', withSuccessor(null)],
    ['a tombstone with a successor without token', withSuccessor({ userId: 'u1' })],
    ['a tombstone with a successor that is no token', withSuccessor({ token: 'a b' })],
    [
      'a tombstone with a successor of an empty user id',
      withSuccessor({ token: 'k'.repeat(43), userId: '' }),
    ],
    [
      'a tombstone with a successor of a user id of another type',
      withSuccessor({ token: 'k'.repeat(43), userId: 1 }),
    ],
    ['a tombstone under __proto__', `{"__proto__":${JSON.stringify(tombstone)}}`],
    ['an envelope without keys', envelope.replace(',"keys":[]', '')],
    ['keys of another type', `${withKeys('"a"')}\n1`],
    ['keys that look like a list', `${withKeys('{"length":1,"0":"a"}')}\n1`],
    ['a key that is no string', `${withKeys('[1]')}\n1`],
    ['a key without a value', withKeys('["name"]')],
    ['a value without a key', `${envelope}\n1`],
    ['a line too many', `${withKeys('["name"]')}\n1\n`],
    ['another program’s record', 'a:1:{s:4:"cart";i:1;}'],
  ])('S45: %s: no record', (_, text) => {
    expect(decodeRecord(text)).toBeUndefined()
  })
})

describe('nextRecord', () => {
  const texts = new Map([['views', '2']])

  it('E4: raises the generation, notes the write id, takes the new texts and keeps the rest', () => {
    const record = live([['views', 1]], { idleTimeout: 60, persistent: false, signedIn })
    const before = structuredClone(record)
    expect(nextRecord(record, id(4), NOW + 1, texts)).toEqual({
      ...record,
      generation: 4,
      writeIds: ids(4, 3, 2, 1),
      newIds: 2,
      texts,
    })
    expect(record).toEqual(before)
  })

  it('C2, C5, E9: takes all of the terms that are given, those that are not there too', () => {
    const record = live([['views', 1]], { idleTimeout: 60, persistent: false, signedIn })
    const terms = { deadline: NOW + 5000, idleTimeout: undefined, persistent: undefined, signedIn: undefined }
    expect(nextRecord(record, id(4), NOW + 1, texts, terms)).toEqual({
      ...record,
      ...terms,
      generation: 4,
      newIds: 2,
      writeIds: ids(4, 3, 2, 1),
      texts,
    })
  })

  it('E4: keeps the last 256 write ids, newest first', () => {
    let record = live([], { generation: 0, writeIds: '', newIds: 0 })
    for (let write = 1; write <= 300; write++) record = nextRecord(record, id(write), NOW, texts)
    expect(record.generation).toBe(300)
    expect(record.writeIds).toBe(ids(...Array.from({ length: 256 }, (_, index) => 300 - index)))
  })

  it.each([
    [0, ids('new', 3, 2, 1)],
    [2_999, ids('new', 3, 2, 1)],
    [3_000, ids('new', 3)],
    [5_999, ids('new', 3)],
    [6_000, ids('new')],
    [86_400_000, ids('new')],
    [-5_000, ids('new', 3, 2, 1)],
    [-86_400_000, ids('new', 3, 2, 1)],
  ])('E4: forgets write ids that are older than 3 s, at the latest after 6: %i ms', (elapsed, writeIds) => {
    expect(nextRecord(live(), id('new'), NOW + elapsed, texts)).toMatchObject({ generation: 4, writeIds })
  })

  /** Writes at these times, and says of each record how old its ids are, the newest first. */
  const agesAfter = (times: readonly number[]) => {
    let record = live([], { generation: 0, writeIds: '', newIds: 0, newSince: NOW })
    return times.map((time, index) => {
      record = nextRecord(record, id(index), NOW + time, texts)
      expect(lastForgotten(record)).toBe(index + 1 - record.writeIds.length / 12)
      return record.writeIds.split(' ').slice(0, -1).map((name) => time - times[Number.parseInt(name, 10)]!) // prettier-ignore
    })
  }

  it('E4: written 8 times a second for a minute, keeps all ids of the last 3 s and none of 6 s ago', () => {
    const times = Array.from({ length: 480 }, (_, index) => index * 125)
    for (const [index, ages] of agesAfter(times).entries()) {
      expect(ages.length).toBeLessThanOrEqual(48)
      expect(Math.max(...ages)).toBeLessThan(6_000)
      expect(ages).toEqual(Array.from(ages, (_, older) => older * 125))
      expect(ages.length).toBeGreaterThanOrEqual(Math.min(index + 1, 24))
    }
  })

  it('E4: keeps every id for 3 s at whatever pace, and cuts none but from the old end', () => {
    for (let round = 0; round < 200; round++) {
      let time = 0
      const times = Array.from({ length: 60 }, () => (time += Math.floor(Math.random() ** 4 * 5_000)))
      for (const [index, ages] of agesAfter(times).entries()) {
        const all = times.slice(0, index + 1).map((each) => times[index]! - each)
        expect(ages).toEqual(all.toReversed().slice(0, ages.length))
        expect(ages.length).toBeGreaterThanOrEqual(all.filter((age) => age < 3_000).length)
      }
    }
  })

  it.each([-3_600_000, -3_000, -10, 10, 3_000, 3_600_000])(
    'E4: two servers whose clocks are %i ms apart keep at most 256 ids, and the last forgotten is the truth',
    (apart) => {
      let record = live([], { generation: 0, writeIds: '', newIds: 0, newSince: NOW })
      for (let write = 1; write <= 1_000; write++) {
        record = nextRecord(record, id(write), NOW + write * 20 + (write % 2) * apart, texts)
        const kept = record.writeIds.length / 12
        expect(kept).toBeLessThanOrEqual(256)
        expect(record.writeIds).toBe(ids(...Array.from({ length: kept }, (_, index) => write - index)))
        expect(lastForgotten(record)).toBe(write - kept)
      }
    },
  )
})

describe('remembers', () => {
  it('E4: says whether a write is among those kept, and takes no part of an id for one', () => {
    const record = live()
    expect([1, 2, 3, 4].map((name) => remembers(record, id(name)))).toEqual([true, true, true, false])
    expect(remembers(record, `${id(3).slice(1)} ${id(2)}`.slice(0, 11))).toBe(false)
  })
})

describe('generateWriteId', () => {
  it('E4: is 8 random bytes in base64url, never the same twice', () => {
    const ids = Array.from({ length: 20_000 }, generateWriteId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{11}$/)
  })
})
