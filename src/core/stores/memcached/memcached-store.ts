import { checkTtl, sized } from '../arguments.ts'
import type { NoticeListener } from '../notices.ts'
import type { ReplaceOutcome, SessionStore, StoredRecord, Version } from '../store.ts'
import { MemcachedClient } from './client.ts'
import { readSettings, type MemcachedStoreOptions } from './settings.ts'

export type { MemcachedStoreOptions, TlsOptions } from './settings.ts'

/**
 * A {@link SessionStore} in memcached, meant for an instance of its own: sessions next to a cache vanish when
 * somebody flushes the cache.
 *
 * The constructor does no I/O; the first operation connects. Every operation settles within `operationTimeoutMs`:
 * with an answer, or with `StoreUnavailableError`. A record over `maxBytes` rejects with `SessionDataError` before
 * anything is sent, a `ttl` that is no whole number above 0 with `RangeError` or `TypeError`.
 *
 * Wrong options throw `TypeError` or `RangeError`.
 *
 * @example
 * new MemcachedStore('memcached://10.0.0.1:11200,10.0.0.2:11200')
 * new MemcachedStore({ servers: ['10.0.0.1:11200', '[::1]:11200'], keyPrefix: 'shop:', operationTimeoutMs: 100 })
 */
export class MemcachedStore implements SessionStore {
  readonly maxBytes: number
  readonly #keyPrefix: string
  readonly #client: MemcachedClient

  constructor(addressOrOptions: string | MemcachedStoreOptions) {
    const { servers, keyPrefix, maxBytes, connection } = readSettings(addressOrOptions)
    this.maxBytes = maxBytes
    this.#keyPrefix = keyPrefix
    this.#client = new MemcachedClient(servers, connection)
  }

  get(key: string, ttl: number | undefined, follows: boolean = false): Promise<StoredRecord | undefined> {
    const stored = this.#keyPrefix + key
    if (ttl === undefined) return this.#client.get(stored, undefined, follows)
    return checked(ttl, () => this.#client.get(stored, ttl, follows))
  }

  // The size is checked before anything is sent: refused for it by memcached, a SET would take the old record along (M6).
  add(key: string, bytes: Uint8Array, ttl: number): Promise<Version | undefined> {
    return checked(ttl, () => this.#client.add(this.#keyPrefix + key, sized(bytes, this.maxBytes), ttl))
  }

  replace(key: string, bytes: Uint8Array, ttl: number, version: Version): Promise<ReplaceOutcome> {
    return checked(ttl, () => {
      if (!(version instanceof Uint8Array && version.length === 8)) {
        throw new TypeError('version: expected one that this store gave out')
      }
      return this.#client.replace(this.#keyPrefix + key, sized(bytes, this.maxBytes), ttl, version)
    })
  }

  set(key: string, bytes: Uint8Array, ttl: number): Promise<void> {
    return checked(ttl, () => this.#client.set(this.#keyPrefix + key, sized(bytes, this.maxBytes), ttl))
  }

  delete(key: string): Promise<void> {
    return this.#client.delete(this.#keyPrefix + key)
  }

  /** Found out from one STAT on each new connection, and one a minute while it is in use. */
  watch(listener: NoticeListener): void {
    this.#client.watch(listener)
  }

  /** Ends every connection at once; operations in flight, and all later ones, reject. */
  async close(): Promise<void> {
    this.#client.close()
  }
}

/** What is wrong rejects, as all else does. */
function checked<Result>(ttl: number, ask: () => Promise<Result>): Promise<Result> {
  try {
    checkTtl(ttl)
    return ask()
  } catch (error) {
    return Promise.reject(error)
  }
}
