import { base64url } from './base64url.ts'
import type { Primitives } from './primitives.ts'

const utf8 = new TextEncoder()

/** WebCrypto's types ask for a view on an ArrayBuffer that is not shared; ours never are. */
type Bytes = Uint8Array<ArrayBuffer>

/** The same primitives through `crypto.subtle`, for runtimes without synchronous crypto. */
export const webPrimitives: Primitives = {
  async sha256(text) {
    return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8.encode(text))))
  },

  hmac: (key, text) => hmac('SHA-256', key, text),
  hmac512: (key, text) => hmac('SHA-512', key, text),

  async encrypt(key, nonce, plaintext, associated) {
    const imported = await importAesKey(key, 'encrypt')
    return new Uint8Array(
      await crypto.subtle.encrypt(aesGcm(nonce, associated), imported, plaintext as Bytes),
    )
  },

  async decrypt(key, nonce, sealed, associated) {
    const imported = await importAesKey(key, 'decrypt')
    try {
      return new Uint8Array(await crypto.subtle.decrypt(aesGcm(nonce, associated), imported, sealed as Bytes))
    } catch {
      return undefined
    }
  },
}

async function hmac(hash: string, key: Uint8Array, text: string): Promise<Uint8Array> {
  const algorithm = { name: 'HMAC', hash }
  const imported = await crypto.subtle.importKey('raw', key as Bytes, algorithm, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, utf8.encode(text)))
}

function importAesKey(key: Uint8Array, usage: 'encrypt' | 'decrypt'): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', key as Bytes, 'AES-GCM', false, [usage])
}

function aesGcm(nonce: Uint8Array, associated: Uint8Array): AesGcmParams {
  return { name: 'AES-GCM', iv: nonce as Bytes, additionalData: associated as Bytes }
}
