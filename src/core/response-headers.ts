import { serializeClearedCookie, serializeCookie, type CookieAttributes } from './cookie.ts'
import type { CookieChange } from './session-state.ts'

/** The response's headers as an adapter hands them over; a `Headers` is one. */
export interface ResponseHeaders {
  get(name: string): unknown
  set(name: string, value: string): void
  append(name: string, value: string): void
}

/** What a response depends on must not be served to somebody else from a cache (RFC 9111 §3, Flask CVE-2023-30861). */
export function addCacheHeaders(headers: ResponseHeaders, setsCookie: boolean): { overridden: boolean } {
  const vary = read(headers, 'Vary')
  if (!/(^|,)\s*(\*|cookie)\s*(,|$)/i.test(vary)) headers.set('Vary', vary ? `${vary}, Cookie` : 'Cookie')
  const cacheControl = read(headers, 'Cache-Control')
  if (setsCookie) headers.set('Cache-Control', 'no-store')
  else if (!cacheControl) headers.set('Cache-Control', 'private')
  return { overridden: setsCookie && /\bpublic\b|\bs-maxage\b/i.test(cacheControl) }
}

/** Appended: other cookies of the response survive. */
export function addSessionCookie(
  headers: ResponseHeaders,
  attributes: CookieAttributes,
  change: CookieChange,
): void {
  const cookie =
    change === 'clear'
      ? serializeClearedCookie(attributes)
      : serializeCookie(attributes, change.token, change.maxAge)
  headers.append('Set-Cookie', cookie)
}

/** Whether a browser would drop a Secure cookie of this response: plain http, and to no host of its own machine. */
export function isInsecure(url: string | undefined, forwardedProto: string | null | undefined): boolean {
  if (url === undefined || !url.startsWith('http:') || !URL.canParse(url)) return false
  // The first value is the browser's own scheme; later proxies append theirs.
  if (forwardedProto?.split(',')[0]?.trim().toLowerCase() === 'https') return false
  return !/^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname)
}

function read(headers: ResponseHeaders, name: string): string {
  return String(headers.get(name) ?? '')
}
