const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** A `Request`, or one as Node and what is built on it have them. */
interface Asked {
  readonly method?: string | undefined
  readonly headers: Headers | Record<string, string | string[] | undefined>
}

/** Whether a request may change something and does not come from a page of this very origin. */
export function mayBeForged({ method = '', headers }: Asked, origin: string): boolean {
  if (SAFE_METHODS.has(method)) return false
  const header = (name: string) => (headers instanceof Headers ? headers.get(name) : headers[name])
  // Browsers say it themselves (W3C Fetch Metadata). Those before 2023, and all of them over plain http, send Origin only.
  const site = header('sec-fetch-site')
  const isOurs = site ? site === 'same-origin' : Boolean(origin) && header('origin') === origin
  return !isOurs
}
