import fc from 'fast-check'
import type { MarkKeys } from '../../src/core/crypto/keyring.ts'

/** Bytes made of genuine ones, and under which of them they are planted. */
export interface Forgery {
  bytes: Uint8Array
  /** Index of the record whose place they are put in. */
  place: number
}

const HEADER_BYTES = 1 + 4 + 12

/** What may become of these records in a store that somebody else can write. */
export function forgeries(records: readonly Uint8Array[]): fc.Arbitrary<Forgery> {
  const index = fc.nat({ max: records.length - 1 })
  const record = index.map((which) => records[which]!)
  const place = fc.nat()
  const at = (bytes: Uint8Array, spot: number) => spot % (bytes.length + 1)
  // Most of a record is ciphertext; what is checked before it stands in front.
  const spot = fc.oneof(fc.nat({ max: HEADER_BYTES + 3 }), fc.nat())

  const forged = fc.oneof(
    fc.tuple(record, spot).map(([bytes, end]) => bytes.slice(0, at(bytes, end))),
    fc.tuple(record, spot).map(([bytes, start]) => bytes.slice(at(bytes, start))),
    fc
      .tuple(record, fc.array(fc.tuple(place, fc.nat({ max: 7 })), { minLength: 1, maxLength: 4 }))
      .map(([bytes, flips]) => {
        const flipped = bytes.slice()
        for (const [where, bit] of flips) flipped[where % bytes.length]! ^= 1 << bit
        return flipped
      }),
    fc
      .tuple(record, record, spot, spot)
      .map(([head, tail, end, start]) => joined(head.slice(0, at(head, end)), tail.slice(at(tail, start)))),
    fc
      .tuple(record, record, spot)
      .map(([head, tail, cut]) => joined(head.slice(0, at(head, cut)), tail.slice(at(head, cut)))),
    fc
      .tuple(record, spot, fc.uint8Array({ minLength: 1, maxLength: 20 }))
      .map(([bytes, where, more]) =>
        joined(bytes.slice(0, at(bytes, where)), more, bytes.slice(at(bytes, where))),
      ),
    fc
      .tuple(record, fc.nat({ max: 255 }))
      .map(([bytes, format]) => joined(Uint8Array.of(format), bytes.slice(1))),
    fc
      .tuple(record, fc.uint8Array({ minLength: 4, maxLength: 4 }))
      .map(([bytes, keyId]) => joined(bytes.slice(0, 1), keyId, bytes.slice(5))),
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 100 }).map((bytes) => joined(Uint8Array.of(1), bytes)),
    fc
      .tuple(record, fc.uint8Array({ maxLength: 60 }))
      .map(([bytes, rest]) => joined(bytes.slice(0, 5), rest)),
    record,
  )
  return fc.record({ bytes: forged, place: index })
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** JSON of every kind, and the numbers and texts that are hard to bear. */
const oddity = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(null, true, '', '1', 0, -1, 0.5, 1e308, -1e308, 2 ** 53, 2 ** 31, [], {}, [[]]),
  fc.constantFrom<unknown>(
    'k'.repeat(43),
    'k'.repeat(44),
    'é'.repeat(43),
    ' '.repeat(300),
    '\r\n',
    '!'.repeat(43),
  ),
)

/** A field as it is written, or as another version may have meant it. */
const mostly = (sound: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 30, arbitrary: sound }, { weight: 1, arbitrary: oddity })

const text43 = fc.constantFrom('s'.repeat(43), 'A'.repeat(43), '_-'.repeat(21) + 'Z')

export const ENTRY_ID = 'e'.repeat(22)

/** Lines that no version of ours writes for a value. */
export const noJson: fc.Arbitrary<string> = fc
  .stringMatching(/^[a-z]{4,12}[@:, {}["'.0-9]{0,4}[a-z]{0,8}$/)
  .filter((text) => !/^(true|false|null)$/.test(text))

const anything = fc.string({ unit: 'binary', maxLength: 80 })

/**
 * What decryption may give to somebody who holds the secret: a text of another version, or of one that has a bug. Those who
 * are signed in are u1, whose mark is here.
 */
export function plaintexts(now: number, { keyId, storeKey, sealKey }: MarkKeys): fc.Arbitrary<string> {
  const writeId = fc.constantFrom('AAAAAAAAAAA ', 'BBBBBBBBBBB ')
  const times = fc.integer({ min: -30_000, max: 100_000 }).map((away) => now + away)
  const mark = fc.record(
    {
      keyId: mostly(fc.constant(keyId)),
      storeKey: mostly(fc.constant(storeKey)),
      sealKey: mostly(fc.constant(sealKey)),
    },
    { noNullPrototype: true },
  )
  const signedIn = fc.record(
    { userId: mostly(fc.constant('u1')), entryId: mostly(fc.constant(ENTRY_ID)), mark: mostly(mark) },
    { noNullPrototype: true },
  )
  const successor = fc.record(
    { token: mostly(text43), userId: mostly(fc.constantFrom('u1', 'u2')) },
    { requiredKeys: ['token'], noNullPrototype: true },
  )
  const live = fc.record(
    {
      deadline: mostly(times),
      generation: mostly(fc.nat()),
      newIds: mostly(fc.nat()),
      newSince: mostly(times),
      writeIds: mostly(fc.array(writeId, { maxLength: 3 }).map((ids) => ids.join(''))),
      idleTimeout: mostly(fc.constantFrom(false, 1, 60, 86_400)),
      persistent: mostly(fc.boolean()),
      signedIn: mostly(signedIn),
      more: oddity,
    },
    { requiredKeys: ['deadline', 'generation', 'writeIds', 'newIds', 'newSince'], noNullPrototype: true },
  )
  const loose = fc.record(
    {
      deadline: mostly(times),
      generation: mostly(fc.nat()),
      writeIds: oddity,
      newIds: mostly(fc.nat()),
      newSince: mostly(times),
    },
    { requiredKeys: [], noNullPrototype: true },
  )
  const tombstone = fc.record(
    {
      ended: mostly(fc.constantFrom('destroyed', 'regenerated')),
      endedAt: mostly(times),
      writeId: mostly(fc.string()),
      successor: mostly(successor),
      deadline: oddity,
    },
    { requiredKeys: ['ended'], noNullPrototype: true },
  )
  const envelope = fc.oneof(
    { weight: 6, arbitrary: live },
    loose,
    { weight: 2, arbitrary: tombstone },
    oddity,
  )
  const key = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('user', 'views', '__proto__', '') },
    { weight: 1, arbitrary: fc.oneof(oddity, fc.string()) },
  )
  const value = oddity.map((each) => JSON.stringify(each))
  const lines = fc
    .tuple(
      envelope,
      fc.array(fc.tuple(key, value), { maxLength: 4 }),
      fc.constantFrom('', '', '', '\n', '\n"user"'),
    )
    .map(([first, entries, rest]) => {
      const keys = entries.map(([each]) => each)
      const withKeys = typeof first === 'object' && first !== null ? { keys, ...first } : first
      return [JSON.stringify(withKeys), ...entries.map(([, text]) => text)].join('\n') + rest
    })
  return fc.oneof({ weight: 12, arbitrary: lines }, anything)
}

/** The same of a user's mark. */
export function markPlaintexts(now: number): fc.Arbitrary<string> {
  const times = fc.integer({ min: -90_000_000, max: 90_000_000 }).map((away) => now + away)
  const entry = fc.record(
    {
      id: mostly(fc.constantFrom(ENTRY_ID, 'f'.repeat(22))),
      label: mostly(fc.constantFrom('Firefox on Linux', '', 'x'.repeat(64), '😀'.repeat(64))),
      signedInAt: mostly(times),
      lastSeenAt: mostly(times),
      idle: mostly(fc.constantFrom(false, 1, 60, 86_400)),
      until: mostly(times),
    },
    { requiredKeys: ['id', 'signedInAt', 'lastSeenAt', 'idle', 'until'], noNullPrototype: true },
  )
  const mark = fc.record(
    { until: mostly(times), entries: mostly(fc.array(mostly(entry), { maxLength: 3 })), more: oddity },
    { requiredKeys: ['until', 'entries'], noNullPrototype: true },
  )
  return fc.oneof(
    {
      weight: 12,
      arbitrary: fc.oneof({ weight: 8, arbitrary: mark }, oddity).map((each) => JSON.stringify(each)),
    },
    anything,
  )
}
