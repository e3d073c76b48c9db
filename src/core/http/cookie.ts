import { is32Bytes } from '../crypto/base64url.ts'

/** Attributes of the session cookie (RFC 6265bis §4.1), checked and complete. */
export interface CookieAttributes {
  name: string
  path: string
  domain: string | undefined
  secure: boolean
  httpOnly: boolean
  sameSite: 'lax' | 'strict' | 'none'
  partitioned: boolean
}

const MAX_HEADER_LENGTH = 16_384
const MAX_TOKENS = 4

/**
 * The distinct well-formed session tokens in a Cookie header, in its order. Linear and bounded, never throws: at most
 * the first 16 KiB are read, a pair that reaches beyond them not at all, and at most 4 tokens returned.
 *
 * `cookie-string = cookie-pair *( ";" SP cookie-pair )` (RFC 6265bis §4.2.1). Only space and tab are trimmed and names
 * compare byte for byte: an attacker's cookie whose name merely looks like ours, padded with other white space,
 * must not pass for it (Hono CVE-2026-39410).
 */
export function readSessionTokens(header: string, name: string): string[] {
  const tokens: string[] = []
  const end = Math.min(header.length, MAX_HEADER_LENGTH)
  for (let start = 0; start < end && tokens.length < MAX_TOKENS;) {
    let stop = header.indexOf(';', start)
    if (stop === -1) stop = header.length
    // Cut by the bound, a longer value could pass for a token.
    if (stop > end) break
    const token = valueOf(name, header, start, stop)
    // Only what could be one of our tokens may reach derivation or the store (Django CVE-2015-5143, CVE-2020-13254).
    if (token !== undefined && is32Bytes(token) && !tokens.includes(token)) tokens.push(token)
    start = stop + 1
  }
  return tokens
}

/** Whether the header is longer than what is read of it. */
export function isTooLong(header: string): boolean {
  return header.length > MAX_HEADER_LENGTH
}

/** Whether the header has a cookie of the name at all, whatever its value. */
export function hasCookie(header: string, name: string): boolean {
  return header
    .slice(0, MAX_HEADER_LENGTH)
    .split(';')
    .some((pair) => valueOf(name, pair, 0, pair.length) !== undefined)
}

/** What a response's Set-Cookie is to say; `maxAge` in seconds, `undefined` until the browser closes. */
export type CookieChange = { token: string; maxAge: number | undefined } | 'clear'

/** A Set-Cookie value. Browsers match a cookie to clear by name, domain and path, so that one repeats them all. */
export function serializeCookie(attributes: CookieAttributes, change: CookieChange): string {
  const { token, maxAge } = change === 'clear' ? { token: '', maxAge: 0 } : change
  let cookie = `${attributes.name}=${token}; Path=${attributes.path}`
  if (maxAge !== undefined) cookie += `; Max-Age=${maxAge}`
  if (attributes.domain !== undefined) cookie += `; Domain=${attributes.domain}`
  if (attributes.secure) cookie += '; Secure'
  if (attributes.httpOnly) cookie += '; HttpOnly'
  cookie += `; SameSite=${attributes.sameSite[0]?.toUpperCase()}${attributes.sameSite.slice(1)}`
  if (attributes.partitioned) cookie += '; Partitioned'
  return cookie
}

function valueOf(name: string, header: string, start: number, stop: number): string | undefined {
  while (start < stop && isBlank(header, start)) start++
  if (!header.startsWith(name, start)) return undefined
  let equals = start + name.length
  while (equals < stop && isBlank(header, equals)) equals++
  if (equals >= stop || header[equals] !== '=') return undefined
  let from = equals + 1
  while (from < stop && isBlank(header, from)) from++
  while (stop > from && isBlank(header, stop - 1)) stop--
  return header.slice(from, stop)
}

/** WSP = SP / HTAB (RFC 5234 appendix B.1). */
function isBlank(text: string, index: number): boolean {
  const code = text.charCodeAt(index)
  return code === 0x20 || code === 0x09
}
