import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Keyring } from '../../../src/core/crypto/keyring.ts'
import { nativePrimitives } from '../../../src/core/crypto/native.ts'
import type { Primitives } from '../../../src/core/crypto/primitives.ts'
import { webPrimitives } from '../../../src/core/crypto/web.ts'
import { generateToken } from '../../../src/core/http/token.ts'

const NAME = '__Host-session'
const SECRET = Buffer.from('correct horse battery staple, 32+ bytes')
const OTHER_SECRET = Buffer.from('tr0ub4dor & 3, as long as it has to be')
/** The bytes 0 to 31. */
const TOKEN = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'
const TEXT = '{"hello":"world"}'
const HEADER_BYTES = 1 + 4 + 12

const native = nativePrimitives()
if (!native) throw new Error('these tests need a runtime with node:crypto')
const implementations: [string, Primitives][] = [
  ['native', native],
  ['web', webPrimitives],
]

function keyring(secrets: readonly Uint8Array[] = [SECRET], using: Primitives = native!, name = NAME) {
  return new Keyring(name, () => secrets, using)
}

/** A record of TEXT under TOKEN, and how to open it. */
async function sealedRecord(using: Primitives = native!) {
  const ring = keyring([SECRET], using)
  const storeKey = (await ring.keysOf(TOKEN)).storeKey
  return { ring, storeKey, bytes: await ring.seal({ token: TOKEN, storeKey }, TEXT) }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

// The definitions of G1, written once more and on their own.
const storeKeyOf = (name: string, token: string) =>
  createHash('sha256').update(`holdfast key\0${name}\0${token}`).digest('base64url')
const recordKeyOf = (secret: Uint8Array, name: string, token: string) =>
  createHmac('sha256', secret).update(`holdfast record\0${name}\0${token}`).digest()
const keyIdOf = (secret: Uint8Array) =>
  createHmac('sha256', secret).update('holdfast key id').digest().subarray(0, 4)
const associatedOf = (secret: Uint8Array, storeKey: string) =>
  Buffer.concat([Buffer.of(1), keyIdOf(secret), Buffer.from(storeKey)])

describe.each(implementations)('Keyring on %s primitives', (_, using) => {
  const ring = keyring([SECRET], using)

  // Frozen: if one of these changes, every session in production is lost.
  it.each([
    {
      name: '__Host-session',
      storeKey: 'gcBeQWyfDDB9284NT9_kjaEjjTz4YbyOv4RexJOiKQ0',
      sealed:
        '01e84f5085a0a1a2a3a4a5a6a7a8a9aaabd52fa0e8ef4377a0a1ba2df8a1682f94fa880dd46948490586e769527cc0566338',
    },
    {
      name: 'session',
      storeKey: 'pw2BmTTIQj_BYzCa8dXCoxAJXDaL3WLJTjTxNjcL3B8',
      sealed:
        '01e84f5085a0a1a2a3a4a5a6a7a8a9aaab7019900dbc557f4317abb624f4d0d5fc5692d53fe4b69bbb363925a5aa6c679425',
    },
  ])('G1: the format of $name is what it always was', async ({ name, storeKey, sealed }) => {
    const ring = keyring([SECRET], using, name)
    expect((await ring.keysOf(TOKEN)).storeKey).toBe(storeKey)
    expect(await ring.open({ token: TOKEN, storeKey }, Buffer.from(sealed, 'hex'))).toBe('{"hello":"world"}')
  })

  it('G1: the store key is SHA-256 over label, cookie name and token, whatever the secret', async () => {
    for (const token of [TOKEN, generateToken(), generateToken()]) {
      expect((await ring.keysOf(token)).storeKey).toBe(storeKeyOf(NAME, token))
      expect((await keyring([OTHER_SECRET], using).keysOf(token)).storeKey).toBe(storeKeyOf(NAME, token))
    }
  })

  it('G1: a record is format, key id, nonce, ciphertext and tag, under the keys as defined', async () => {
    const { storeKey, bytes } = await sealedRecord(using)
    expect(bytes).toHaveLength(HEADER_BYTES + TEXT.length + 16)
    expect(bytes[0]).toBe(1)
    expect([...bytes.subarray(1, 5)]).toEqual([...keyIdOf(SECRET)])
    const recordKey = recordKeyOf(SECRET, NAME, TOKEN)
    const decipher = createDecipheriv('aes-256-gcm', recordKey, bytes.subarray(5, HEADER_BYTES))
    decipher.setAAD(associatedOf(SECRET, storeKey))
    decipher.setAuthTag(bytes.subarray(-16))
    const opened = Buffer.concat([decipher.update(bytes.subarray(HEADER_BYTES, -16)), decipher.final()])
    expect(opened.toString()).toBe(TEXT.toString())
  })

  it('G1: opens what was sealed by the definition alone', async () => {
    const token = generateToken()
    const storeKey = storeKeyOf(NAME, token)
    const nonce = Buffer.alloc(12, 7)
    const cipher = createCipheriv('aes-256-gcm', recordKeyOf(SECRET, NAME, token), nonce)
    cipher.setAAD(associatedOf(SECRET, storeKey))
    const sealed = [cipher.update(TEXT, 'utf8'), cipher.final(), cipher.getAuthTag()]
    const bytes = Buffer.concat([Buffer.of(1), keyIdOf(SECRET), nonce, ...sealed])
    expect(await ring.open({ token, storeKey }, bytes)).toBe('{"hello":"world"}')
  })

  it.each([0, 1, 15, 16, 17, 1000, 1_000_000])('G1: round-trips %i characters', async (length) => {
    const text = '\ufeffé€\0"\n'.repeat(length).slice(0, length)
    const keys = await ring.keysOf(TOKEN)
    expect(await ring.open(keys, await ring.seal(keys, text))).toBe(text)
  })

  it('G2, S45: refuses what is no UTF-8, whoever sealed it', async () => {
    const { token, storeKey } = await ring.keysOf(TOKEN)
    const nonce = Buffer.alloc(12, 7)
    for (const bytes of [[0xff], [0xc3], [0x22, 0xed, 0xa0, 0x80, 0x22]]) {
      const cipher = createCipheriv('aes-256-gcm', recordKeyOf(SECRET, NAME, token), nonce)
      cipher.setAAD(associatedOf(SECRET, storeKey))
      const sealed = [cipher.update(Buffer.from(bytes)), cipher.final(), cipher.getAuthTag()]
      const record = Buffer.concat([Buffer.of(1), keyIdOf(SECRET), nonce, ...sealed])
      expect(await ring.open({ token, storeKey }, record)).toBeUndefined()
    }
  })

  it('G2: refuses a record whose every single byte, or bit of the header, was changed', async () => {
    const { storeKey, bytes } = await sealedRecord(using)
    expect(await ring.open({ token: TOKEN, storeKey }, bytes)).toBeDefined()
    for (let index = 0; index < bytes.length; index++) {
      for (const mask of index < HEADER_BYTES ? [1, 2, 4, 8, 16, 32, 64, 128, 255] : [1, 128, 255]) {
        const altered = bytes.slice()
        altered[index]! ^= mask
        expect(
          await ring.open({ token: TOKEN, storeKey }, altered),
          `byte ${index} ^ ${mask}`,
        ).toBeUndefined()
      }
    }
  })

  it('G2: refuses a record cut to any length, at either end, or with something added', async () => {
    const { storeKey, bytes } = await sealedRecord(using)
    for (let length = 0; length < bytes.length; length++) {
      expect(
        await ring.open({ token: TOKEN, storeKey }, bytes.subarray(0, length)),
        `first ${length}`,
      ).toBeUndefined()
      expect(
        await ring.open({ token: TOKEN, storeKey }, bytes.subarray(-length || bytes.length)),
      ).toBeUndefined()
    }
    const longer = [Buffer.concat([bytes, Buffer.of(0)]), Buffer.concat([Buffer.of(1), bytes])]
    for (const altered of longer) expect(await ring.open({ token: TOKEN, storeKey }, altered)).toBeUndefined()
  })

  it('G2: refuses a record that was moved to another key or another token', async () => {
    const { storeKey, bytes } = await sealedRecord(using)
    const otherToken = generateToken()
    const otherKey = (await ring.keysOf(otherToken)).storeKey
    expect(await ring.open({ token: otherToken, storeKey: otherKey }, bytes)).toBeUndefined()
    expect(await ring.open({ token: TOKEN, storeKey: otherKey }, bytes)).toBeUndefined()
    expect(await ring.open({ token: otherToken, storeKey: storeKey }, bytes)).toBeUndefined()
    expect(await ring.open({ token: TOKEN, storeKey: '' }, bytes)).toBeUndefined()
  })

  it('G2: refuses a splice of two genuine records of one session, at every offset', async () => {
    const { storeKey, bytes } = await sealedRecord(using)
    const second = await ring.seal({ token: TOKEN, storeKey }, TEXT)
    // Cut within the shared first five bytes, a splice is the second record itself.
    for (let at = 6; at < bytes.length; at++) {
      const spliced = Buffer.concat([bytes.subarray(0, at), second.subarray(at)])
      if (spliced.equals(bytes) || spliced.equals(second)) continue
      expect(await ring.open({ token: TOKEN, storeKey }, spliced), `at ${at}`).toBeUndefined()
    }
  })

  it('G2: refuses what was sealed without the secret, even under a forged key id', async () => {
    const { storeKey } = await sealedRecord(using)
    const forged = await keyring([OTHER_SECRET], using).seal({ token: TOKEN, storeKey }, TEXT)
    expect(await ring.open({ token: TOKEN, storeKey }, forged)).toBeUndefined()
    forged.set(keyIdOf(SECRET), 1)
    expect(await ring.open({ token: TOKEN, storeKey }, forged)).toBeUndefined()
  })

  it('G2: refuses plain text, with and without a header', async () => {
    const storeKey = (await ring.keysOf(TOKEN)).storeKey
    const texts = [
      Buffer.from(TEXT),
      Buffer.from('{}'),
      Buffer.alloc(0),
      Buffer.alloc(100),
      Buffer.alloc(100, 1),
    ]
    const headed = [Buffer.of(1), keyIdOf(SECRET), Buffer.alloc(12), Buffer.from(TEXT), Buffer.alloc(16)]
    for (const bytes of [...texts, Buffer.concat(headed)]) {
      expect(await ring.open({ token: TOKEN, storeKey }, bytes)).toBeUndefined()
    }
  })

  it('G2: a sealed record shows neither token nor data', async () => {
    const { storeKey, bytes } = await sealedRecord(using)
    const dump = Buffer.from(bytes).toString('latin1') + storeKey
    for (const secret of ['hello', 'world', TOKEN, Buffer.from(TOKEN, 'base64url').toString('latin1')]) {
      expect(dump).not.toContain(secret)
    }
  })

  it('G3: every listed secret opens and the first one seals', async () => {
    const storeKey = (await ring.keysOf(TOKEN)).storeKey
    const old = await ring.seal({ token: TOKEN, storeKey }, TEXT)
    const last = keyring([OTHER_SECRET, SECRET], using)
    expect(await last.open({ token: TOKEN, storeKey }, old)).toBe('{"hello":"world"}')
    const resealed = await last.seal({ token: TOKEN, storeKey }, TEXT)
    expect([...resealed.subarray(1, 5)]).toEqual([...keyIdOf(OTHER_SECRET)])
    // The first of two deployments lists the new secret last, to open what the second one seals.
    expect(
      await keyring([SECRET, OTHER_SECRET], using).open({ token: TOKEN, storeKey }, resealed),
    ).toBeDefined()
    expect(await ring.open({ token: TOKEN, storeKey }, resealed)).toBeUndefined()
  })

  it('G3: a dropped secret opens nothing', async () => {
    const { storeKey, bytes } = await sealedRecord(using)
    expect(await keyring([OTHER_SECRET], using).open({ token: TOKEN, storeKey }, bytes)).toBeUndefined()
    const [third, fourth] = [Buffer.alloc(32, 3), Buffer.alloc(32, 4)]
    expect(
      await keyring([third, OTHER_SECRET, fourth], using).open({ token: TOKEN, storeKey }, bytes),
    ).toBeUndefined()
  })

  it('G3: a record does not open under the key id of another listed secret', async () => {
    const { storeKey, bytes } = await sealedRecord(using)
    bytes.set(keyIdOf(OTHER_SECRET), 1)
    expect(
      await keyring([SECRET, OTHER_SECRET], using).open({ token: TOKEN, storeKey }, bytes),
    ).toBeUndefined()
  })

  it('G1: one secret under two cookie names is two keyrings', async () => {
    const { storeKey, bytes } = await sealedRecord(using)
    const other = keyring([SECRET], using, '__Host-admin')
    const keys = await other.keysOf(TOKEN)
    expect(keys.storeKey).not.toBe(storeKey)
    expect(await other.markKeys('u1')).not.toEqual(await ring.markKeys('u1'))
    expect(await other.open({ token: TOKEN, storeKey }, bytes)).toBeUndefined()
    expect(await other.open(keys, bytes)).toBeUndefined()
  })

  it('G1: cookie name and token do not run into each other', async () => {
    const [left, right] = [keyring([SECRET], using, 'ab'), keyring([SECRET], using, 'a')]
    expect((await left.keysOf('c')).storeKey).not.toBe((await right.keysOf('bc')).storeKey)
  })

  it('G1: the keys of a mark are the halves of HMAC-SHA-512, by each secret in turn', async () => {
    const expected = [SECRET, OTHER_SECRET].map((secret) => {
      const derived = createHmac('sha512', secret).update(`holdfast user\0${NAME}\0u1`).digest()
      return {
        keyId: keyIdOf(secret).toString('base64url'),
        storeKey: derived.subarray(0, 32).toString('base64url'),
        sealKey: derived.subarray(32).toString('base64url'),
      }
    })
    expect(await keyring([SECRET, OTHER_SECRET], using).markKeys('u1')).toEqual(expected)
  })

  it('G2: a mark opens under its own keys alone, and not once it was altered', async () => {
    const [[mine], [others]] = await Promise.all([ring.markKeys('u1'), ring.markKeys('u2')])
    const bytes = await ring.sealMark(mine!, TEXT)
    expect(await ring.openMark(mine!, bytes)).toBe('{"hello":"world"}')
    expect(await ring.openMark(others!, bytes)).toBeUndefined()
    expect(await ring.openMark({ ...mine!, storeKey: others!.storeKey }, bytes)).toBeUndefined()
    expect(await ring.openMark({ ...mine!, sealKey: others!.sealKey }, bytes)).toBeUndefined()
    for (let index = 0; index < bytes.length; index++) {
      const altered = bytes.map((byte, at) => (at === index ? byte ^ 1 : byte))
      expect(await ring.openMark(mine!, altered)).toBeUndefined()
      expect(await ring.openMark(mine!, bytes.subarray(0, index))).toBeUndefined()
    }
  })

  it('G1: asks for the secrets at first use, once', async () => {
    let asked = 0
    const lazy = new Keyring(NAME, () => [[SECRET], []][asked++] ?? [], using)
    expect(asked).toBe(0)
    const storeKey = (await lazy.keysOf(TOKEN)).storeKey
    await Promise.all([
      lazy.seal({ token: TOKEN, storeKey }, TEXT),
      lazy.seal({ token: TOKEN, storeKey }, TEXT),
    ])
    await lazy.open({ token: TOKEN, storeKey }, new Uint8Array(100).fill(1))
    expect(asked).toBe(1)
  })
})

describe('native and web primitives', () => {
  it('G1: give the same bytes', async () => {
    const [key, prefix, nonce] = [Buffer.alloc(32, 1), Buffer.alloc(5, 4), Buffer.alloc(12, 2)]
    const associated = '\0\x7f\x80\xff associated'
    for (const length of [0, 1, 31, 64, 65, 1000]) {
      const said = 'é€\0'.repeat(length)
      const bytes = implementations.map(async ([, using]) => [
        await using.sha256(said),
        hex(await using.hmac(key)(said)),
        hex(await using.hmac(Buffer.alloc(32 + length, 4))(said)),
        hex(await using.hmac512(key, said)),
        hex(await using.encrypt(key, prefix, nonce, said, associated)),
      ])
      expect(await bytes[0]).toEqual(await bytes[1])
    }
  })

  it('G1: an HMAC is the same whatever its key signed before', async () => {
    const derive = implementations.map(([, using]) => using.hmac(Buffer.alloc(40, 1)))
    for (const length of [100, 0, 1000, 3, 1000]) {
      const [ours, webs] = await Promise.all(derive.map((hmac) => hmac('é'.repeat(length))))
      expect(hex(ours!)).toBe(hex(webs!))
    }
  })

  it('G1: open what the other one sealed', async () => {
    for (const [sealing, opening] of [
      [native, webPrimitives],
      [webPrimitives, native],
    ] as const) {
      const { storeKey, bytes } = await sealedRecord(sealing)
      expect(await keyring([SECRET], opening).open({ token: TOKEN, storeKey }, bytes)).toBe(
        '{"hello":"world"}',
      )
    }
  })
})

describe('nonces', () => {
  it.each(implementations)('G1: never repeat over 20 000 seals of one record (%s)', async (_, using) => {
    const ring = keyring([SECRET], using)
    const nonces = new Set<string>()
    for (let round = 0; round < 200; round++) {
      const sealed = await Promise.all(
        Array.from({ length: 100 }, () =>
          ring.seal({ token: TOKEN, storeKey: storeKeyOf(NAME, TOKEN) }, TEXT),
        ),
      )
      for (const bytes of sealed) nonces.add(hex(bytes.subarray(5, HEADER_BYTES)))
    }
    expect(nonces.size).toBe(20_000)
    // Random in all 12 bytes: a counter or a time stamp would leave some position with few values.
    for (let byte = 0; byte < 12; byte++) {
      const values = new Set([...nonces].map((nonce) => nonce.slice(2 * byte, 2 * byte + 2)))
      expect(values.size).toBe(256)
    }
  })
})
