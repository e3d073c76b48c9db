import fc from 'fast-check'
import { foundReply, replyTo, type FakeReply, type FakeRequest } from '../support/fake-server.ts'

const GET = 0x00
const GET_AND_TOUCH = 0x1d
const READS = [GET, GET_AND_TOUCH]
const VERSION_START = 16

export type Operation = 'get' | 'peek' | 'add' | 'replace' | 'set' | 'delete'

/** What the server sends for one request, and how. */
export interface Reply {
  bytes: (request: FakeRequest) => Buffer
  /** Where it is split, in bytes. */
  splits: number[]
  /** What becomes of the connection; `silence` leaves it open. */
  ending: 'silence' | 'close' | 'reset'
}

/** One client and one server: rounds of operations at the same time, and what the first requests are answered with. */
export interface Conversation {
  rounds: Operation[][]
  replies: Reply[]
  /** Whether the client gives a user and a password. */
  isAuthenticated: boolean
}

const value = fc.uint8Array({ maxLength: 40 })
const operation = fc.constantFrom<Operation>(
  'get',
  'get',
  'get',
  'peek',
  'peek',
  'peek',
  'add',
  'replace',
  'set',
  'delete',
)
const splits = fc.array(fc.nat({ max: 70 }), { maxLength: 3 })

/** What a memcached that is well answers. */
const sound = fc.oneof(
  { weight: 4, arbitrary: value.map((bytes) => (request: FakeRequest) => soundReply(request, bytes)) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(1, 2)
      .map((status) => (request: FakeRequest) => replyTo(request, { status, value: Buffer.from('No.') })),
  },
)

const byte = fc.nat({ max: 255 })
const status = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(0, 1, 2, 3, 5, 8, 0x81, 0x82, 0x85, 0xff, 0xffff) },
  { weight: 1, arbitrary: fc.oneof(fc.constant(0x20), fc.nat({ max: 0xffff })) },
)
const buffer = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes))

/** Not for this request. */
const strangers: fc.Arbitrary<FakeReply> = fc.record(
  {
    magic: fc.constantFrom(0x80, 0x82, 0),
    opcode: fc.constantFrom(...READS, 0x01, 0x02, 0x03, 0x04, 0x0a, 0x10, 0x21),
    opaque: buffer(4),
    value,
  },
  { requiredKeys: [] },
)

/** The right magic, opcode and opaque, and the rest at will. */
const lies: fc.Arbitrary<FakeReply> = fc.record(
  {
    status,
    version: fc.oneof(fc.constant(Buffer.alloc(8)), buffer(8)),
    extras: fc.nat({ max: 8 }).chain(buffer),
    value,
    keyLength: fc.oneof(fc.nat({ max: 12 }), fc.constant(0xffff)),
    extrasLength: fc.oneof(fc.nat({ max: 12 }), byte),
    bodyLength: fc.oneof(fc.nat({ max: 60 }), fc.constantFrom(2 ** 30, 2 ** 30 + 1025, 2 ** 31, 2 ** 32 - 1)),
  },
  { requiredKeys: [] },
)

const spot = fc.nat({ max: 90 })
const unsound = fc.oneof(
  { weight: 2, arbitrary: strangers.map((reply) => (request: FakeRequest) => replyTo(request, reply)) },
  { weight: 6, arbitrary: lies.map((reply) => (request: FakeRequest) => replyTo(request, reply)) },
  // Good but for what stands before the value.
  {
    weight: 3,
    arbitrary: fc
      .record({ extras: fc.nat({ max: 8 }).chain(buffer), value, keyLength: fc.constantFrom(0, 0, 1, 4) })
      .map((reply) => (request: FakeRequest) => replyTo(request, reply)),
  },
  // From a server that keeps no versions.
  {
    weight: 1,
    arbitrary: sound.map(
      (good) => (request: FakeRequest) => good(request).fill(0, VERSION_START, VERSION_START + 8),
    ),
  },
  // One thing wrong with a reply that is good otherwise.
  {
    weight: 4,
    arbitrary: fc
      .tuple(sound, fc.nat({ max: 47 }), byte)
      .map(([good, where, wrong]) => (request: FakeRequest) => {
        const bytes = good(request)
        if (where < bytes.length) bytes[where] = wrong
        return bytes
      }),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(sound, sound, spot, spot).map(
      ([head, tail, end, start]) =>
        (request: FakeRequest) =>
          Buffer.concat([head(request).subarray(0, end), tail(request).subarray(start)]),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(sound, sound)
      .map((twice) => (request: FakeRequest) => Buffer.concat(twice.map((good) => good(request)))),
  },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 90 }).map((bytes) => () => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.constant(() => Buffer.from('ERROR\r\n')) },
)

const ending = fc.oneof(
  { weight: 1, arbitrary: fc.constant('silence' as const) },
  { weight: 5, arbitrary: fc.constantFrom('close' as const, 'reset' as const) },
)

const rounds = fc.array(fc.array(operation, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 })

/** With a server that answers anything; it is sound again when it has run out of replies. */
export const conversations: fc.Arbitrary<Conversation> = fc.record({
  rounds,
  replies: fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.record({ bytes: unsound, splits, ending }) },
      { weight: 1, arbitrary: fc.record({ bytes: sound, splits, ending: fc.constant('silence' as const) }) },
    ),
    { minLength: 1, maxLength: 5 },
  ),
  isAuthenticated: fc.constantFrom(false, false, false, true),
})

/** With a server that is well, but whose replies come in pieces. */
export const soundConversations: fc.Arbitrary<Conversation> = fc.record({
  rounds,
  replies: fc.array(fc.record({ bytes: sound, splits, ending: fc.constant('silence' as const) }), {
    minLength: 6,
    maxLength: 6,
  }),
  isAuthenticated: fc.constant(false),
})

export function soundReply(request: FakeRequest, bytes: Uint8Array): Buffer {
  return READS.includes(request.opcode) ? foundReply(request, bytes) : replyTo(request)
}

/** A reply as the protocol has it. */
export interface Answer {
  status: number
  version: Buffer
  value: Buffer
}

/**
 * What the bytes of one connection answer to its requests, read strictly and on its own: until the first reply that is
 * none, in order, each of full length, and before a value, and nowhere else, four bytes: its flags.
 */
export function answersIn(stream: Buffer, requests: readonly FakeRequest[]): Map<FakeRequest, Answer> {
  const answers = new Map<FakeRequest, Answer>()
  let rest = stream
  for (const request of requests) {
    if (rest.length < 24 || rest[0] !== 0x81 || rest[1] !== request.opcode) break
    if (!rest.subarray(12, 16).equals(request.opaque)) break
    const [keyLength, extrasLength, status] = [rest.readUInt16BE(2), rest[4]!, rest.readUInt16BE(6)]
    const start = 24 + extrasLength + keyLength
    const end = 24 + rest.readUInt32BE(8)
    if (start > end || end > rest.length) break
    if (READS.includes(request.opcode) && start !== (status === 0 ? 28 : 24)) break
    answers.set(request, { status, version: rest.subarray(16, 24), value: rest.subarray(start, end) })
    rest = rest.subarray(end)
  }
  return answers
}
