import { Header, Utils } from 'memjs'
import { describe, expect, it } from 'vitest'
import { encodeRequest, Opcode, Reply, type Request } from '../../../../src/core/stores/memcached/protocol.ts'

const version = Buffer.from('0102030405060708', 'hex')
const value = Buffer.from([0, 1, 254, 255])

describe('encodeRequest', () => {
  it.each<[string, Request, string]>([
    ['reads', { opcode: Opcode.getAndTouch, key: 'key', ttl: 0x00010203 }, '00010203'],
    ['reads alone', { opcode: Opcode.get, key: 'key' }, ''],
    ['stores', { opcode: Opcode.set, key: 'key', ttl: 2 ** 32 - 1, value }, '00000000ffffffff'],
    ['stores nothing', { opcode: Opcode.add, key: 'k', ttl: 1, value: Buffer.alloc(0) }, '0000000000000001'],
    ['authenticates', { opcode: Opcode.authenticate, key: 'PLAIN', value }, ''],
    ['deletes', { opcode: Opcode.delete, key: 'key' }, ''],
    ['asks for nothing', { opcode: Opcode.noop, key: '' }, ''],
  ])('%s with the bytes that memjs would send', (_, request, extras) => {
    const { opcode, key } = request
    const sent = request.value ? Buffer.from(request.value) : ''
    for (const opaque of [0, 1, 2 ** 31, 2 ** 32 - 1]) {
      expect(encodeRequest(request, opaque)).toEqual(
        Utils.makeRequestBuffer(opcode, key, Buffer.from(extras, 'hex'), sent, opaque),
      )
    }
  })

  it('swaps with the version where the header has its CAS', () => {
    const request = encodeRequest({ opcode: Opcode.replace, key: 'key', ttl: 100, value, version }, 7)
    expect(Header.fromBuffer(request)).toMatchObject({ magic: 0x80, opcode: 0x03, opaque: 7, cas: version })
  })

  it('leaves nothing of what the memory held before', () => {
    for (let attempt = 0; attempt < 100; attempt++) {
      Buffer.allocUnsafe(24).fill(0xff)
      const request = encodeRequest({ opcode: Opcode.noop, key: '' }, 0)
      expect(request.toString('hex')).toBe(`800a${'00'.repeat(22)}`)
    }
  })
})

describe('Reply', () => {
  const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
  const found = hex('811d0000 04000000 00000006 0000002a 0102030405060708 00000000 6869')
  const stat = hex('81100002 00000000 00000003 00000000 0000000000000000 6162 63')

  it('is a view on one of several replies', () => {
    const bytes = Buffer.concat([found, stat])
    const reply = new Reply(bytes, found.length)
    expect([reply.opcode, reply.status, String(reply.key), String(reply.value)]).toEqual([0x10, 0, 'ab', 'c'])
    expect([reply.end, reply.isLast]).toEqual([bytes.length, false])
    const first = new Reply(bytes, 0)
    expect([first.end, first.isLast, String(first.value)]).toEqual([found.length, true, 'hi'])
    expect(first.version).toEqual(version)
  })

  it.each([
    ['magic', (bytes: Buffer) => bytes.writeUInt8(0x80, 0)],
    ['opcode', (bytes: Buffer) => bytes.writeUInt8(0x00, 1)],
    ['opaque', (bytes: Buffer) => bytes.writeUInt32BE(43, 12)],
    ['lengths', (bytes: Buffer) => bytes.writeUInt8(7, 4)],
    ['lengths', (bytes: Buffer) => bytes.writeUInt16BE(7, 2)],
    ['too long', (bytes: Buffer) => bytes.writeUInt32BE(2 ** 31, 8)],
  ])('M3: does not fit its request by its %s', (mismatch, spoil) => {
    const request = encodeRequest({ opcode: Opcode.getAndTouch, key: 'key', ttl: 100 }, 42)
    const bytes = Buffer.from(found)
    expect(new Reply(bytes, 0).mismatchWith(request)).toBeUndefined()
    spoil(bytes)
    expect(new Reply(bytes, 0).mismatchWith(request)).toBe(mismatch)
  })

  it.each([
    ['four bytes of flags alone stand before what a get finds', 0, 4, 0, undefined],
    ['five do not', 0, 5, 0, 'extras or key'],
    ['nor a key', 0, 4, 1, 'extras or key'],
    ['none do before the text of a miss', 1, 0, 0, undefined],
    ['and four do not', 1, 4, 0, 'extras or key'],
  ])('M3: %s', (_, status, extrasLength, keyLength, mismatch) => {
    const bodyLength = extrasLength + keyLength + 2
    const reply = Buffer.alloc(24 + bodyLength)
    reply.writeUInt32BE(42, 12)
    reply[0] = 0x81
    reply.writeUInt16BE(keyLength, 2)
    reply[4] = extrasLength
    reply.writeUInt16BE(status, 6)
    reply.writeUInt32BE(bodyLength, 8)
    const reads: Request[] = [
      { opcode: Opcode.get, key: 'key' },
      { opcode: Opcode.getAndTouch, key: 'key', ttl: 100 },
    ]
    for (const read of reads) {
      reply[1] = read.opcode
      expect(new Reply(reply, 0).mismatchWith(encodeRequest(read, 42))).toBe(mismatch)
    }
  })
})
