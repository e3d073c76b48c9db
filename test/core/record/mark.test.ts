import { describe, expect, it } from 'vitest'
import {
  byLastUse,
  decodeMark,
  encodeMark,
  generateEntryId,
  hasRunOut,
  isBefore,
  isEntryId,
  keptUntil,
  markWith,
  SEEN_STEP_MS,
  type Mark,
  type MarkEntry,
} from '../../../src/core/record/mark.ts'

const NOW = 1_750_000_000_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

const entry = (name: string, more: Partial<MarkEntry> = {}): MarkEntry => ({
  id: name.padEnd(22, '_'),
  label: 'Firefox on Linux',
  signedInAt: NOW - HOUR_MS,
  lastSeenAt: NOW,
  idle: 86_400,
  until: NOW + 14 * DAY_MS,
  ...more,
})
const mark: Mark = { until: NOW + 14 * DAY_MS, entries: [entry('a'), entry('b')] }

describe('encoding a mark', () => {
  it.each<[string, Mark]>([
    ['two sessions', mark],
    ['none', { until: NOW, entries: [] }],
    ['when its first sign-in was', { ...mark, began: NOW - HOUR_MS }],
    ['no idle timeout', { ...mark, entries: [entry('a', { idle: false })] }],
    ['an idle timeout of a second', { ...mark, entries: [entry('a', { idle: 1 })] }],
    ['no label', { ...mark, entries: [entry('a', { label: undefined })] }],
    ['an empty label', { ...mark, entries: [entry('a', { label: '' })] }],
    ['a label of any script', { ...mark, entries: [entry('a', { label: 'Zoë’s\n"📱"\u2028 \0' })] }],
    ['64 characters of two code units each', { ...mark, entries: [entry('a', { label: '😀'.repeat(64) })] }],
    ['times with a fraction', { until: NOW + 0.5, entries: [entry('a', { lastSeenAt: NOW + 0.25 })] }],
    ['a hundred', { ...mark, entries: Array.from({ length: 100 }, (_, index) => entry(`e${index}`)) }],
  ])('E9: keeps %s', (_, each) => {
    expect(decodeMark(encodeMark(each))).toEqual(each)
  })
})

describe('decoding a mark', () => {
  const json = (value: unknown) => JSON.stringify(value)
  const withEntry = (more: object) => json({ until: NOW, entries: [entry('a'), { ...entry('b'), ...more }] })

  it('S45: what the cases below change is understood without their changes', () => {
    expect(decodeMark(withEntry({}))?.entries).toHaveLength(2)
    expect(decodeMark(json({ ...mark, more: 1 }))?.entries).toHaveLength(2)
  })

  it.each<[string, string]>([
    ['nothing', ''],
    ['no JSON', '{"until":1,"entries":[]'],
    ['null', json(null)],
    ['a number', json(1)],
    ['a list', json([])],
    ['an empty object', json({})],
    ['no end', json({ entries: [] })],
    ['an end of another type', json({ until: '1', entries: [] })],
    ['an end of null', json({ until: null, entries: [] })],
    ['an end beyond all dates', json({ until: 1e300, entries: [] })],
    ['no entries', json({ until: NOW })],
    ['a beginning that is no time', json({ ...mark, began: '1' })],
    ['a beginning beyond all dates', json({ ...mark, began: -1e30 })],
    ['entries that are no list', json({ until: NOW, entries: { length: 0 } })],
    ['entries of null', json({ until: NOW, entries: null })],
    ['an entry of null', json({ until: NOW, entries: [null] })],
    ['an entry that is a text', json({ until: NOW, entries: ['a'.repeat(22)] })],
    ['an entry without id', withEntry({ id: undefined })],
    ['an entry with an id of another type', withEntry({ id: 1 })],
    ['an entry with an id of 21 characters', withEntry({ id: 'a'.repeat(21) })],
    ['an entry with an id of 23 characters', withEntry({ id: 'a'.repeat(23) })],
    ['an entry with an id of another alphabet', withEntry({ id: `${'a'.repeat(21)}+` })],
    ['an entry with an id and a line break', withEntry({ id: `${'a'.repeat(22)}\n` })],
    ['an entry with a label of another type', withEntry({ label: 1 })],
    ['an entry with a label of null', withEntry({ label: null })],
    ['an entry with a label of 65 characters', withEntry({ label: 'x'.repeat(65) })],
    ['an entry without the time of its sign-in', withEntry({ signedInAt: undefined })],
    ['an entry with a time of its sign-in of another type', withEntry({ signedInAt: '1' })],
    ['an entry without the time it was seen', withEntry({ lastSeenAt: undefined })],
    ['an entry with a time it was seen of another type', withEntry({ lastSeenAt: [1] })],
    ['an entry seen beyond all dates', withEntry({ lastSeenAt: 1e300 })],
    ['an entry without idle timeout', withEntry({ idle: undefined })],
    ['an entry with an idle timeout of 0', withEntry({ idle: 0 })],
    ['an entry with an idle timeout of less', withEntry({ idle: -1 })],
    ['an entry with half an idle timeout', withEntry({ idle: 1.5 })],
    ['an entry with an idle timeout of true', withEntry({ idle: true })],
    ['an entry with an idle timeout of another type', withEntry({ idle: '60' })],
    ['an entry without end', withEntry({ until: undefined })],
    ['an entry with an end of another type', withEntry({ until: 'never' })],
    ['an entry with an end beyond all dates', withEntry({ until: -1e300 })],
  ])('S45: %s: no mark', (_, text) => {
    expect(decodeMark(text)).toBeUndefined()
  })

  it('S45: never throws, at whatever length the text is cut or whichever bit is flipped', () => {
    const text = encodeMark(mark)
    for (let length = 0; length < text.length; length++) {
      expect(decodeMark(text.slice(0, length))).toBeUndefined()
    }
    const bytes = Buffer.from(text)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => decodeMark(flipped.toString())).not.toThrow()
    }
  })
})

describe('markWith', () => {
  it('E10: lists the entries in their order, those that have run out moments ago too', () => {
    const entries = [entry('a'), entry('b', { until: NOW - HOUR_MS }), entry('c', { lastSeenAt: 0 })]
    expect(markWith(entries, undefined, NOW).entries).toEqual(entries)
  })

  it('E10: drops an entry a day after its end, not a moment sooner', () => {
    const [early, late] = [entry('a', { until: NOW - DAY_MS + 1 }), entry('b', { until: NOW - DAY_MS })]
    expect(markWith([early, late, entry('c')], undefined, NOW).entries).toEqual([early, entry('c')])
    expect(markWith([early, late], undefined, NOW - 1).entries).toEqual([early, late])
  })

  it('E10: drops no entry for its idle timeout', () => {
    const idle = entry('a', { idle: 1, lastSeenAt: NOW - 10 * DAY_MS })
    expect(markWith([idle], undefined, NOW).entries).toEqual([idle])
  })

  it('E9: keeps the latest end that it ever listed', () => {
    const [sooner, later] = [entry('a', { until: NOW + 1 }), entry('b', { until: NOW + 2 })]
    expect(markWith([later, sooner], undefined, NOW).until).toBe(NOW + 2)
    expect(markWith([sooner], { until: NOW + 5, entries: [later] }, NOW).until).toBe(NOW + 5)
    expect(markWith([later], { until: NOW + 1, entries: [sooner] }, NOW).until).toBe(NOW + 2)
    expect(markWith([], { until: NOW + 5, entries: [later] }, NOW).until).toBe(NOW + 5)
    expect(markWith([], undefined, NOW).until).toBe(0)
  })

  it('E9: begins with the earliest sign-in that it ever listed, whatever the clock of who writes it says', () => {
    const at = (ms: number) => entry('', { id: generateEntryId(ms) })
    const [first, second] = [at(NOW), at(NOW + 5)]
    const begun = markWith([first], undefined, NOW + 3)
    expect(begun.began).toBe(NOW)
    const more = markWith([first, second], begun, NOW + 9)
    expect(more.began).toBe(NOW)
    expect(markWith([], more, NOW + 9).began).toBe(NOW)
    // Listed by a server whose clock is behind: revoked, it must not pass for lost.
    const late = at(NOW - 700)
    const all = markWith([first, late], more, NOW - 690)
    expect(isBefore(all, late.id)).toBe(false)
    expect(isBefore(more, late.id)).toBe(true)
    expect([first, second].filter(({ id }) => isBefore(all, id))).toEqual([])
  })

  it('E9: changes neither what it is given nor what was', () => {
    const [before, entries] = [structuredClone(mark), [entry('c', { until: NOW - 2 * DAY_MS })]]
    markWith(entries, before, NOW)
    expect([before, entries]).toEqual([mark, [entry('c', { until: NOW - 2 * DAY_MS })]])
  })
})

describe('keptUntil', () => {
  it('E9: is a day after the latest end', () => {
    expect(keptUntil({ until: NOW, entries: [] })).toBe(NOW + DAY_MS)
  })
})

describe('hasRunOut', () => {
  it('E10: from its end on', () => {
    const each = entry('a', { until: NOW })
    expect([hasRunOut(each, NOW - 1), hasRunOut(each, NOW)]).toEqual([false, true])
  })

  it('E10: when it was not seen for its idle timeout, and the ten minutes that lastSeenAt may be behind', () => {
    const each = entry('a', { idle: 60, lastSeenAt: NOW })
    const end = NOW + 60_000 + 600_000
    expect([hasRunOut(each, end - 1), hasRunOut(each, end)]).toEqual([false, true])
    expect(SEEN_STEP_MS).toBe(600_000)
  })

  it('E10: not for being idle where it has no idle timeout', () => {
    const each = entry('a', { idle: false, lastSeenAt: 0 })
    expect([hasRunOut(each, NOW), hasRunOut(each, each.until)]).toEqual([false, true])
  })
})

describe('byLastUse', () => {
  it('E9, E10: first what has run out, then what was not seen longest; what was seen at once stays in its order', () => {
    const seen = (name: string, ago: number, more: Partial<MarkEntry> = {}) =>
      entry(name, { lastSeenAt: NOW - ago, ...more })
    const entries = [
      seen('used now', 0),
      seen('used before', 2 * HOUR_MS),
      seen('ended, used now', 0, { until: NOW - 1 }),
      seen('used between', HOUR_MS),
      seen('used between, too', HOUR_MS),
      seen('idle', DAY_MS, { idle: 60 }),
      seen('long idle, for ever', 9 * DAY_MS, { idle: false }),
    ]
    const names = entries.toSorted(byLastUse(NOW)).map(({ id }) => id.replaceAll('_', ''))
    expect(names).toEqual([
      'idle',
      'ended, used now',
      'long idle, for ever',
      'used before',
      'used between',
      'used between, too',
      'used now',
    ])
  })
})

describe('the id of an entry', () => {
  it('E9: never comes twice, and is an id at whatever time', () => {
    expect(new Set(Array.from({ length: 1000 }, () => generateEntryId(NOW))).size).toBe(1000)
    for (const time of [0, 1, 0.5, -1, NOW + 0.5, 4_102_444_800_000, Number.MAX_SAFE_INTEGER]) {
      expect(isEntryId(generateEntryId(time))).toBe(true)
    }
  })
})
