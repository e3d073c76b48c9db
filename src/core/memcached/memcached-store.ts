import { checkNames, checkWhole, wrong } from '../check.ts'
import { SessionDataError, StoreUnavailableError } from '../errors.ts'
import type { ReplaceOutcome, SessionStore, StoredRecord, Version } from '../store.ts'
import { parseServers, type ServerAddress } from './address.ts'
import { MemcachedClient } from './client.ts'
import type { ConnectionLimits } from './connection.ts'

/** Options of {@link MemcachedStore}. */
export interface MemcachedStoreOptions {
  /**
   * `'host[:port]'` (port 11211 unless given, IPv6 in brackets), a list of them, or a whole `memcached://` address.
   * The order does not matter; a server that is added, removed or written differently moves its share of the sessions.
   */
  servers: string | readonly string[]
  /** Put before every key: printable ASCII without spaces, at most 207 characters. Default `'session:'`. */
  keyPrefix?: string | undefined
  /** Milliseconds for one operation, from the call to the answer, connecting included. Default 250. */
  operationTimeoutMs?: number | undefined
  /** Milliseconds for connecting; more than `operationTimeoutMs` has no effect. Default 250. */
  connectTimeoutMs?: number | undefined
  /** The largest record in bytes; keep it below memcached's item size (`-I`, 1 MiB unless set). Default 1 000 000. */
  maxBytes?: number | undefined
}

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
    const { servers, keyPrefix, limits } = readOptions(addressOrOptions)
    this.maxBytes = limits.maxBytes
    this.#keyPrefix = keyPrefix
    this.#client = new MemcachedClient(servers, limits)
  }

  async get(key: string, ttl: number): Promise<StoredRecord | undefined> {
    checkTtl(ttl)
    return orUnavailable('get', this.#client.getAndTouch(this.#keyPrefix + key, ttl))
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
    return orUnavailable('replace', this.#client.compareAndSwap(this.#keyPrefix + key, bytes, ttl, version))
  }

  async set(key: string, bytes: Uint8Array, ttl: number): Promise<void> {
    checkTtl(ttl)
    this.#checkSize(bytes)
    return orUnavailable('set', this.#client.set(this.#keyPrefix + key, bytes, ttl))
  }

  async delete(key: string): Promise<void> {
    return orUnavailable('delete', this.#client.delete(this.#keyPrefix + key))
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

async function orUnavailable<Result>(operation: string, answer: Promise<Result>): Promise<Result> {
  try {
    return await answer
  } catch (cause) {
    throw new StoreUnavailableError(operation, cause)
  }
}

function checkTtl(ttl: number): void {
  checkWhole('ttl', ttl, 'whole seconds of 1 or more')
}

/** memcached's own bound is 250 bytes, and it hangs up on a longer key, with everybody's requests in flight (M5). */
const LONGEST_PREFIX = 250 - 43
const LONGEST_TIMER = 2 ** 31 - 1
/** Of memcached's `-I`. */
const LARGEST_ITEM = 2 ** 30

const OPTION_NAMES = ['servers', 'keyPrefix', 'operationTimeoutMs', 'connectTimeoutMs', 'maxBytes']

interface Settings {
  servers: ServerAddress[]
  keyPrefix: string
  limits: ConnectionLimits
}

function readOptions(given: string | MemcachedStoreOptions): Settings {
  const options = typeof given === 'string' ? { servers: given } : given
  checkNames('MemcachedStore', options, OPTION_NAMES, 'a memcached:// address or options')
  const { servers, keyPrefix: prefixOfAddress } = parseServers(options.servers)
  if (prefixOfAddress !== undefined && options.keyPrefix !== undefined) {
    throw new TypeError('keyPrefix: expected here or in the address, got both')
  }
  const {
    keyPrefix = prefixOfAddress ?? 'session:',
    operationTimeoutMs = 250,
    connectTimeoutMs = 250,
    maxBytes = 1_000_000,
  } = options
  checkPrefix(keyPrefix)
  checkWhole(
    'operationTimeoutMs',
    operationTimeoutMs,
    `a whole number from 1 to ${LONGEST_TIMER}`,
    LONGEST_TIMER,
  )
  checkWhole('connectTimeoutMs', connectTimeoutMs, `a whole number from 1 to ${LONGEST_TIMER}`, LONGEST_TIMER)
  checkWhole('maxBytes', maxBytes, `a whole number from 1 to ${LARGEST_ITEM}`, LARGEST_ITEM)
  return { servers, keyPrefix, limits: { operationTimeoutMs, connectTimeoutMs, maxBytes } }
}

function checkPrefix(keyPrefix: unknown): void {
  if (typeof keyPrefix !== 'string' || !/^[!-~]*$/.test(keyPrefix)) {
    throw wrong('keyPrefix', 'printable ASCII without spaces', keyPrefix)
  }
  if (keyPrefix.length > LONGEST_PREFIX) {
    throw new RangeError(`keyPrefix: expected at most ${LONGEST_PREFIX} characters, got ${keyPrefix.length}`)
  }
}
