import type { Eventually } from './eventually.ts'

/**
 * The few primitives that sessions rest on. Both implementations give the same bytes. Associated data is a text of the
 * characters U+0000 to U+00FF, a byte each.
 */
export interface Primitives {
  /** Of the text in UTF-8, in base64url. */
  sha256(text: string): Eventually<string>
  /** HMAC-SHA-256 (RFC 2104) with this key, of a text in UTF-8. */
  hmac(key: Uint8Array): (text: string) => Eventually<Uint8Array>
  /** HMAC-SHA-512. */
  hmac512(key: Uint8Array, text: string): Eventually<Uint8Array>
  /** AES-256-GCM (NIST SP 800-38D) of the text in UTF-8: the prefix, the nonce, the ciphertext and the 16-byte tag. */
  encrypt(
    key: Uint8Array,
    prefix: Uint8Array,
    nonce: Uint8Array,
    text: string,
    associated: string,
  ): Eventually<Uint8Array>
  /** Of ciphertext and tag; `undefined` when the tag does not match, or what it opens to is no UTF-8. */
  decrypt(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    associated: string,
  ): Eventually<string | undefined>
}

export const TAG_BYTES = 16

/** Gives the very text that was encoded, and throws for anything else. Its class is no type where only Node's are. */
export const strictUtf8: { decode(bytes: Uint8Array | ArrayBuffer): string } = new TextDecoder('utf-8', {
  fatal: true,
  ignoreBOM: true,
})
