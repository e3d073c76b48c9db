/** The response's headers as an adapter hands them over; a `Headers` is one. */
export interface ResponseHeaders {
  /** Its value, as the framework has it. */
  get(name: string): unknown
  /** In place of what it was. */
  set(name: string, value: string): void
  /** Beside what it is: another line. */
  append(name: string, value: string): void
  /** Only used to take back an answer whose session could not be saved. */
  delete?(name: string): void
}

/** What describes the handler's answer (RFC 9110 §8), and not what other middleware says of every response. */
const ANSWER_HEADERS = [
  'Content-Type', 'Content-Length', 'Content-Encoding', 'Content-Language', 'Content-Location', 'Content-Range',
  'Content-Disposition', 'Location', 'ETag', 'Last-Modified', 'Cache-Control', 'Expires',
] // prettier-ignore

/** The error response that takes its place must not be cached, sniffed or redirected as the answer would have been. */
export function takeBackAnswer(headers: ResponseHeaders): void {
  for (const name of ANSWER_HEADERS) headers.delete?.(name)
}

/**
 * The headers of a response, for an adapter, which keeps it in `res`, as Hono's context does. The application may answer
 * many requests with one object, so what is meant for one visitor goes into a copy. `Vary` and `private` do not: they do
 * no harm elsewhere, and a copy would take every read off the fast path that servers have for a response nobody has
 * looked into.
 */
export function headersOf(holder: { res: Response }): ResponseHeaders {
  let isCopy = false
  const copied = (): Headers => {
    if (!isCopy) holder.res = copyOf(holder.res)
    isCopy = true
    return holder.res.headers
  }
  return {
    get: (name) => holder.res.headers.get(name),
    append: (name, value) => copied().append(name, value),
    delete: (name) => copied().delete(name),
    set(name, value) {
      try {
        holder.res.headers.set(name, value)
      } catch {
        // Those of a redirect or of a fetched response are immutable.
        copied().set(name, value)
      }
    },
  }
}

/** Not of an upgrade, which is no ordinary response. */
function copyOf(response: Response): Response {
  if (response.status < 200) return response
  if (!('Bun' in globalThis) || response.headers.has('Content-Type')) {
    return new Response(response.body, response)
  }
  // There a string is text/plain only until its body is asked for; then browsers download it. A clone keeps it,
  // where it is ASCII.
  const copy = response.clone()
  response.body?.cancel().catch(() => {}) // or of a stream both branches would be kept
  return copy
}

/**
 * What a response depends on must not be served to somebody else from a cache (RFC 9111 §3, Flask CVE-2023-30861). Says
 * whether the handler's `public` or `s-maxage` was overridden.
 */
export function addCacheHeaders(headers: ResponseHeaders, mustNotBeStored: boolean): boolean {
  const vary = read(headers, 'Vary')
  if (!/(^|,)\s*(\*|cookie)\s*(,|$)/i.test(vary)) headers.set('Vary', vary ? `${vary}, Cookie` : 'Cookie')
  const cacheControl = read(headers, 'Cache-Control')
  if (mustNotBeStored) headers.set('Cache-Control', 'no-store')
  else if (!cacheControl) headers.set('Cache-Control', 'private')
  return mustNotBeStored && /\bpublic\b|\bs-maxage\b/i.test(cacheControl)
}

function read(headers: ResponseHeaders, name: string): string {
  return String(headers.get(name) ?? '')
}
