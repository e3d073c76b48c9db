import type { Services } from '../record/record-io.ts'

/** A Cookie header, or a function that returns it: asked for at the first touch, never on an untouched request. */
export type CookieHeader = string | null | undefined | (() => string | null | undefined)

/**
 * @internal How an adapter reads the requests of its framework, and for whom. Made once, and not for each request: what a
 * request costs that leaves its session alone is closures, objects and promises.
 */
export interface Opening<Request = any> {
  readonly services: Services
  /** Asked at the first touch. */
  cookieHeader(request: Request): string | null | undefined
  /** Whether the response can still take a cookie; asked late. */
  canSetHeaders(request: Request): boolean
  /** As {@link OpenOptions.renew}. */
  renew: ((request: Request) => boolean | undefined) | undefined
}

/** What the session of a request is opened with, besides its cookie. */
export interface OpenOptions {
  /** Whether the response can still take a cookie, asked at each commit and `save()`; where not, no token is made. Default: it can. */
  canSetHeaders?: (() => boolean) | undefined
  /**
   * Whether this request counts as use, so that reading keeps the session from running idle (ASVS 7.3.1). Default: it does.
   * Asked at the first read, and again after one that failed: a read rejects with what it throws, and with `TypeError` for
   * anything but a boolean.
   */
  renew?: (() => boolean) | undefined
}
