import { isError } from '../errors.ts'
import type { ResponseHeaders } from './response-headers.ts'

/** What `commit` is told of the response. */
export interface CommitResponse {
  /** What the visitor is answered: from 500 on the handler's changes are dropped. */
  status: number
  /** What was thrown, where the answer is yet to be made of it (Koa): then it decides, and not `status`. */
  error?: unknown
  /** Where the cookie and what caches must know are put. */
  headers: ResponseHeaders
  /** The request's URL, to notice a Secure cookie that the browser will drop. */
  url?: string | undefined
  /** Its `X-Forwarded-Proto`, where a proxy ends TLS. */
  forwardedProto?: string | null | undefined
}

/** An error with a `status`, else a `statusCode`, from 100 to 499 is an answer (`ctx.throw(403)`); any other is a 500. */
export function isAnswered({ status, error }: CommitResponse): boolean {
  if (error === undefined) return status < 500
  if (!isError(error)) return false
  const { status: own, statusCode } = error as { status?: unknown; statusCode?: unknown }
  const answer = own || statusCode
  return Number.isInteger(answer) && (answer as number) >= 100 && (answer as number) <= 499
}

/** Whether a browser would drop a Secure cookie of this response: plain http, and to no host of its own machine. */
export function isInsecure({ url, forwardedProto }: CommitResponse): boolean {
  if (url === undefined || !url.startsWith('http:') || !URL.canParse(url)) return false
  // The first value is the browser's own scheme; later proxies append theirs.
  if (forwardedProto?.split(',')[0]?.trim().toLowerCase() === 'https') return false
  return !/^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname)
}
