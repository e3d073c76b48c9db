import type { Context, Next } from 'koa'

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Koa middleware: what may change something must come from a page of this very origin. */
export function sameOriginOnly(ctx: Context, next: Next): Promise<unknown> {
  // Browsers say it themselves (W3C Fetch Metadata). Those before 2023, and all of them over plain http, send Origin only.
  const site = ctx.get('Sec-Fetch-Site')
  // Not ctx.origin, which is the request's own Origin header.
  const isOurs = site ? site === 'same-origin' : ctx.get('Origin') === ctx.URL.origin
  if (!isOurs && !SAFE_METHODS.has(ctx.method)) ctx.throw(403)
  return next()
}
