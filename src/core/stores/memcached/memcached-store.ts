import { checkWhole } from '../../check.ts'
import { SessionDataError, StoreUnavailableError } from '../../errors.ts'
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

  async get(
    key: string,
    ttl: number | undefined,
    follows: boolean = false,
  ): Promise<StoredRecord | undefined> {
    if (ttl === undefined) return orUnavailable('get', this.#client.get(this.#keyPrefix + key, follows))
    checkTtl(ttl)
    return orUnavailable('get', this.#client.getAndTouch(this.#keyPrefix + key, ttl, follows))
  }

  async add(key: string, bytes: Uint8Array, ttl: number): Promise<Version | undefined> {
    checkTtl(ttl)
    this.#checkSize(bytes)
    return orUnavailable('add', this.#client.add(this.#keyPrefix + key, bytes, ttl))
  }

  async replace(key: string, bytes: Uint8Array, ttl: number, version: Version): Promise<ReplaceOutcome> {
    checkTtl(ttl)
    this.#checkSize(bytes)
    if (!(version instanceof Uint8Array && version.length === 8)) {
      throw new TypeError('version: expected one that this store gave out')
    }
    return orUnavailable('replace', this.#client.replace(this.#keyPrefix + key, bytes, ttl, version))
  }

  async set(key: string, bytes: Uint8Array, ttl: number): Promise<void> {
    checkTtl(ttl)
    this.#checkSize(bytes)
    return orUnavailable('set', this.#client.set(this.#keyPrefix + key, bytes, ttl))
  }

  async delete(key: string): Promise<void> {
    return orUnavailable('delete', this.#client.delete(this.#keyPrefix + key))
  }

  /** Found out from one STAT on each new connection, and one a minute while it is in use. */
  watch(listener: NoticeListener): void {
    this.#client.watch(listener)
  }

  /** Ends every connection at once; operations in flight, and all later ones, reject. */
  async close(): Promise<void> {
    this.#client.close()
  }

  /** Before anything is sent: refused by memcached for its size, a SET would take the old record with it (M6). */
  #checkSize(bytes: Uint8Array): void {
    if (bytes.length <= this.maxBytes) return
    throw new SessionDataError(
      'ERR_SESSION_TOO_LARGE',
      `the sealed session has ${bytes.length} bytes, more than maxBytes (${this.maxBytes})`,
    )
  }
}

function orUnavailable<Result>(operation: string, answer: Promise<Result>): Promise<Result> {
  return answer.catch((cause: unknown) => {
    throw new StoreUnavailableError(operation, cause)
  })
}

function checkTtl(ttl: number): void {
  checkWhole('ttl', ttl, 'whole seconds of 1 or more')
}
