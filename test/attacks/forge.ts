import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import { encodeRecord } from '../../src/core/record/record.ts'
import { PREFIX } from './intruder.ts'

const COOKIE_NAME = '__Host-session'

/** Where the session of a token lies in memcached: known to whoever has the token. */
export function keyOf(token: string): string {
  return PREFIX + storeKeyOf(token)
}

/** A record as the library would seal it (G1), had it the attacker's secret; its own key id, unless another is given. */
export function forgeRecord(token: string, text: string, secret: Uint8Array, keyId?: Uint8Array): Buffer {
  const key = createHmac('sha256', secret).update(`holdfast record\0${COOKIE_NAME}\0${token}`).digest()
  const header = Buffer.concat([
    Buffer.of(1),
    keyId ?? createHmac('sha256', secret).update('holdfast key id').digest().subarray(0, 4),
  ])
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(Buffer.concat([header, Buffer.from(storeKeyOf(token))]))
  return Buffer.concat([header, nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
}

/** What a record says before it is sealed. */
export function plainRecord(user: string): string {
  const newSince = Date.now()
  const texts = new Map([['user', JSON.stringify(user)]])
  return encodeRecord({
    deadline: newSince + 3_600_000,
    generation: 1,
    writeIds: '',
    newIds: 0,
    newSince,
    texts,
  })
}

function storeKeyOf(token: string): string {
  return createHash('sha256').update(`holdfast key\0${COOKIE_NAME}\0${token}`).digest('base64url')
}
