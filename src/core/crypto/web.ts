import { scratch } from '../scratch.ts'
import { base64url } from './base64url.ts'
import { strictUtf8, type Primitives } from './primitives.ts'

const utf8 = new TextEncoder()

/** WebCrypto's types ask for a view on an ArrayBuffer that is not shared; ours never are. */
type Bytes = Uint8Array<ArrayBuffer>

/** The same primitives through `crypto.subtle`, for runtimes without synchronous crypto. */
export const webPrimitives: Primitives = {
  async sha256(text) {
    return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8.encode(text))))
  },

  hmac(key) {
    const imported = importHmacKey('SHA-256', key)
    // Whoever uses it meets the failure.
    imported.catch(() => {})
    return async function hmac(text) {
      return sign(await imported, text)
    }
  },

  hmac512: async (key, text) => sign(await importHmacKey('SHA-512', key), text),

  async encrypt(key, prefix, nonce, text, associated) {
    const imported = await importAesKey(key, 'encrypt')
    const sealed = await crypto.subtle.encrypt(aesGcm(nonce, associated), imported, utf8.encode(text))
    return scratch(prefix, nonce, new Uint8Array(sealed))
  },

  async decrypt(key, nonce, sealed, associated) {
    const imported = await importAesKey(key, 'decrypt')
    try {
      return strictUtf8.decode(
        await crypto.subtle.decrypt(aesGcm(nonce, associated), imported, sealed as Bytes),
      )
    } catch {
      return undefined
    }
  },
}

function importHmacKey(hash: string, key: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', key as Bytes, { name: 'HMAC', hash }, false, ['sign'])
}

async function sign(key: CryptoKey, text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, utf8.encode(text)))
}

function importAesKey(key: Uint8Array, usage: 'encrypt' | 'decrypt'): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', key as Bytes, 'AES-GCM', false, [usage])
}

function aesGcm(nonce: Uint8Array, associated: string): AesGcmParams {
  const additionalData = Uint8Array.from(associated, (character) => character.charCodeAt(0))
  return { name: 'AES-GCM', iv: nonce as Bytes, additionalData }
}
