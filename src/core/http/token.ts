import { base64url } from '../crypto/base64url.ts'

const TOKEN_BYTES = 32

/** A new session token: 256 bits from a CSPRNG (ASVS 7.2.3 asks for 128), no user data, time or counter in it. */
export function generateToken(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)))
}
