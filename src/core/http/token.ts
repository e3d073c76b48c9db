import { base64url, is32Bytes } from '../crypto/base64url.ts'

const TOKEN_BYTES = 32

/** A new session token: 256 bits from a CSPRNG (ASVS 7.2.3 asks for 128), no user data, time or counter in it. */
export function generateToken(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)))
}

/** Only what could be one of our tokens may reach derivation or the store (Django CVE-2015-5143, CVE-2020-13254). */
export function isTokenShaped(value: string): boolean {
  return is32Bytes(value)
}
