import { after, type Eventually } from './eventually.ts'
import { base64url, fromBase64url } from './base64url.ts'
import { nativePrimitives } from './native.ts'
import { TAG_BYTES, type Primitives } from './primitives.ts'
import { randomBytes } from './random.ts'
import { webPrimitives } from './web.ts'

const FORMAT = 1
const KEY_ID_BYTES = 4
const NONCE_BYTES = 12
const PREFIX_BYTES = 1 + KEY_ID_BYTES
const HEADER_BYTES = PREFIX_BYTES + NONCE_BYTES

/** A token, and what is derived from it. */
export interface Keys {
  token: string
  /** What the store sees: 43 characters of base64url, from which the token cannot be found. */
  storeKey: string
  /** What sealed the record when it was read; kept, since whoever reads may write. */
  recordKey?: RecordKey | undefined
}

/** Of one session: what its records are sealed with, and by which secret it was derived. */
export interface RecordKey {
  secret: Secret
  bytes: Uint8Array
}

/** Of a user's mark: by which secret, where it lives, and what seals it; all in base64url. */
export interface MarkKeys {
  keyId: string
  storeKey: string
  sealKey: string
}

interface Secret {
  bytes: Uint8Array
  hmac: (text: string) => Eventually<Uint8Array>
  /** In base64url, as marks are known by it. */
  keyId: string
  /** What each record that it seals begins with; it holds the key id, so that opening never has to try. */
  prefix: Uint8Array
}

/**
 * Derives keys from a session token and seals records with them.
 *
 * The store key comes from the token alone, so changing secrets moves nothing; the record key needs token and secret,
 * so neither a dump of the store nor the secret alone opens a record. A sealed record is
 * `format ‖ key id ‖ nonce ‖ ciphertext ‖ tag`, and format, key id and store key are authenticated with it: a record
 * moved to another key, altered or cut does not open.
 */
export class Keyring {
  readonly #cookieName: string
  readonly #secrets: () => readonly Uint8Array[]
  readonly #primitives: Primitives
  #prepared: Eventually<readonly Secret[]> | undefined

  /**
   * `secrets` is asked at the first use: workerd forbids drawing random bytes at start-up. Native crypto is preferred
   * where the runtime has it: it answers at once, and its price is paid on every read.
   */
  constructor(
    cookieName: string,
    secrets: () => readonly Uint8Array[],
    primitives: Primitives = nativePrimitives() ?? webPrimitives,
  ) {
    this.#cookieName = cookieName
    this.#secrets = secrets
    this.#primitives = primitives
  }

  keysOf(token: string): Eventually<Keys> {
    const digest = this.#primitives.sha256(this.#labelled('holdfast key', token))
    return after(digest, (storeKey) => ({ token, storeKey, recordKey: undefined }))
  }

  /** Seals with the first secret, since options refuse an empty list, and a fresh random nonce. */
  seal(keys: Keys, text: string): Eventually<Uint8Array> {
    return after(this.#ready(), ([secret]) =>
      after(this.#recordKey(secret!, keys), (key) => this.#encrypt(key, secret!.prefix, keys.storeKey, text)),
    )
  }

  /** The text, or `undefined` for anything that was not sealed for this very token with a listed secret. */
  open(keys: Keys, bytes: Uint8Array): Eventually<string | undefined> {
    return after(this.#ready(), (secrets) => {
      const secret = secrets.find(({ prefix }) => prefix.every((byte, index) => byte === bytes[index]))
      return secret && after(this.#recordKey(secret, keys), (key) => this.#decrypt(key, keys.storeKey, bytes))
    })
  }

  /**
   * Where a user's mark lives and what seals it, by each secret, the first one first. Keyed, since the ids of users
   * can be guessed; a session keeps both, so that its mark is found after the secrets have changed.
   */
  async markKeys(userId: string): Promise<MarkKeys[]> {
    const label = this.#labelled('holdfast user', userId)
    return Promise.all(
      (await this.#ready()).map(async ({ bytes, keyId }) => {
        const derived = await this.#primitives.hmac512(bytes, label)
        const [storeKey, sealKey] = [derived.subarray(0, 32), derived.subarray(32)].map(base64url)
        return { keyId, storeKey: storeKey!, sealKey: sealKey! }
      }),
    )
  }

  /** Whether a mark's secret is still listed. */
  async lists(keyId: string): Promise<boolean> {
    return (await this.#ready()).some((secret) => secret.keyId === keyId)
  }

  async sealMark({ keyId, storeKey, sealKey }: MarkKeys, text: string): Promise<Uint8Array> {
    return this.#encrypt(fromBase64url(sealKey), prefixOf(fromBase64url(keyId)), storeKey, text)
  }

  /** The text, or `undefined` for anything that was not sealed with these keys. */
  async openMark({ storeKey, sealKey }: MarkKeys, bytes: Uint8Array): Promise<string | undefined> {
    return this.#decrypt(fromBase64url(sealKey), storeKey, bytes)
  }

  #encrypt(key: Uint8Array, prefix: Uint8Array, storeKey: string, text: string): Eventually<Uint8Array> {
    const nonce = randomBytes(NONCE_BYTES)
    return this.#primitives.encrypt(key, prefix, nonce, text, associatedData(prefix, storeKey))
  }

  #decrypt(key: Uint8Array, storeKey: string, bytes: Uint8Array): Eventually<string | undefined> {
    if (bytes.length < HEADER_BYTES + TAG_BYTES || bytes[0] !== FORMAT) return undefined
    const nonce = bytes.subarray(PREFIX_BYTES, HEADER_BYTES)
    return this.#primitives.decrypt(key, nonce, bytes.subarray(HEADER_BYTES), associatedData(bytes, storeKey))
  }

  #recordKey(secret: Secret, keys: Keys): Eventually<Uint8Array> {
    if (keys.recordKey?.secret === secret) return keys.recordKey.bytes
    return after(secret.hmac(this.#labelled('holdfast record', keys.token)), (bytes) => {
      keys.recordKey = { secret, bytes }
      return bytes
    })
  }

  /** The cookie name keeps two managers with one secret apart. */
  #labelled(label: string, text: string): string {
    return `${label}\0${this.#cookieName}\0${text}`
  }

  #ready(): Eventually<readonly Secret[]> {
    if (this.#prepared) return this.#prepared
    const prepared = this.#secrets().map((bytes) => {
      const hmac = this.#primitives.hmac(bytes)
      return after(hmac('holdfast key id'), (digest) => {
        const keyId = digest.subarray(0, KEY_ID_BYTES)
        return { bytes, hmac, keyId: base64url(keyId), prefix: prefixOf(keyId) }
      })
    })
    const isWaiting = prepared.some((secret) => secret instanceof Promise)
    this.#prepared = isWaiting ? Promise.all(prepared) : (prepared as Secret[])
    return this.#prepared
  }
}

function prefixOf(keyId: Uint8Array): Uint8Array {
  return Uint8Array.of(FORMAT, ...keyId)
}

/**
 * The prefix that the bytes begin with, and the store key. As a text, which Node turns into bytes in Buffer's pool: a
 * typed array for it costs 1 µs more, most of it for memory outside the heap.
 */
function associatedData(bytes: Uint8Array, storeKey: string): string {
  let characters = ''
  for (let index = 0; index < PREFIX_BYTES; index++) characters += String.fromCharCode(bytes[index]!)
  return characters + storeKey
}
