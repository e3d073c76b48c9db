import { MEMORY_STORE, PROTOCOL } from '../brand.ts'
import { checkNames, checkWhole, wrong } from '../check.ts'
import { checkTtl } from './arguments.ts'
import { Notices, type NoticeListener } from './notices.ts'
import type { ReplaceOutcome, SessionStore, StoredRecord, Version } from './store.ts'

/** Options of {@link MemoryStore}. */
export interface MemoryStoreOptions {
  /** How many records to keep; beyond it the least recently used goes first. Default 100 000. */
  maxRecords?: number | undefined
  /** Milliseconds since the epoch. Default `() => Date.now()`. */
  now?: (() => number) | undefined
}

/** Replaced by each use, so that who holds one sees whether the record was used since. */
interface Entry {
  readonly bytes: Uint8Array
  readonly version: number
  readonly expiresAt: number
}

const LOOKED_UP_AT_ONCE = 100
const TELL_EVERY_MS = 60_000

/**
 * A {@link SessionStore} in this process's memory: for development, for tests, and for a service of one process
 * whose visitors may be signed out by a restart. It keeps bytes, not live objects, so it behaves like a real store;
 * it is bounded by count and needs no timers.
 *
 * Throws `TypeError` or `RangeError` for wrong options.
 */
export class MemoryStore implements SessionStore {
  /** Least recently used first: a Map remembers insertion order, and every use inserts anew. */
  readonly #entries = new Map<string, Entry>()
  readonly #maxRecords: number
  readonly #now: () => number
  #lastVersion = 0
  /** The next to be forgotten last, as far as they are known and were not used since. */
  #leastRecentlyUsed: [string, Entry][] = []
  readonly #notices = new Notices('MemoryStore')
  #forgotten = 0
  #toldAt: number | undefined

  /** @internal */
  get [MEMORY_STORE](): number {
    return PROTOCOL
  }

  constructor(options: MemoryStoreOptions = {}) {
    checkNames('MemoryStore', options, ['maxRecords', 'now'])
    const { maxRecords = 100_000, now = () => Date.now() } = options
    checkWhole('maxRecords', maxRecords, 'a whole number of 1 or more')
    if (typeof now !== 'function') throw wrong('now', 'a function', now)
    this.#maxRecords = maxRecords
    this.#now = now
  }

  /** Records held, the expired ones that nobody asked for since included. */
  get size(): number {
    return this.#entries.size
  }

  async get(key: string, ttl: number | undefined): Promise<StoredRecord | undefined> {
    const expiresAt = ttl === undefined ? undefined : this.#expiry(ttl)
    const entry = this.#live(key)
    if (!entry) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, { ...entry, expiresAt: expiresAt ?? entry.expiresAt })
    return { bytes: new Uint8Array(entry.bytes), version: entry.version }
  }

  async add(key: string, bytes: Uint8Array, ttl: number): Promise<Version | undefined> {
    const expiresAt = this.#expiry(ttl)
    return this.#live(key) ? undefined : this.#write(key, bytes, expiresAt)
  }

  async replace(key: string, bytes: Uint8Array, ttl: number, version: Version): Promise<ReplaceOutcome> {
    const expiresAt = this.#expiry(ttl)
    const entry = this.#live(key)
    if (!entry) return { outcome: 'missing' }
    if (entry.version !== version) return { outcome: 'conflict' }
    return { outcome: 'replaced', version: this.#write(key, bytes, expiresAt) }
  }

  async set(key: string, bytes: Uint8Array, ttl: number): Promise<void> {
    this.#write(key, bytes, this.#expiry(ttl))
  }

  async delete(key: string): Promise<void> {
    this.#entries.delete(key)
  }

  /** Tells of records that it forgot because it was full, at most once a minute; `server` is `'MemoryStore'`. */
  watch(listener: NoticeListener): void {
    this.#notices.add(listener)
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    if (!entry || entry.expiresAt > this.#now()) return entry
    this.#entries.delete(key)
    return undefined
  }

  #write(key: string, bytes: Uint8Array, expiresAt: number): number {
    const version = ++this.#lastVersion
    this.#entries.delete(key)
    this.#entries.set(key, { bytes: new Uint8Array(bytes), version, expiresAt })
    if (this.#entries.size > this.#maxRecords) this.#forgetOne()
    return version
  }

  #forgetOne(): void {
    for (;;) {
      if (this.#leastRecentlyUsed.length === 0) this.#lookUp()
      const [key, entry] = this.#leastRecentlyUsed.pop()!
      if (this.#entries.get(key) !== entry) continue
      this.#entries.delete(key)
      return this.#countForgotten(entry)
    }
  }

  /** Many at once: a Map that is deleted from at its beginning passes what it deleted before it finds a first entry. */
  #lookUp(): void {
    for (const each of this.#entries) {
      if (this.#leastRecentlyUsed.push(each) === LOOKED_UP_AT_ONCE) break
    }
    this.#leastRecentlyUsed.reverse()
  }

  #countForgotten({ expiresAt }: Entry): void {
    const now = this.#now()
    if (!this.#notices.hasListeners || expiresAt <= now) return
    const count = ++this.#forgotten
    const since = this.#toldAt ?? now
    if (this.#toldAt !== undefined && Math.abs(now - since) < TELL_EVERY_MS) return
    this.#toldAt = now
    this.#forgotten = 0
    this.#notices.tell({ type: 'server-evicting', count, since })
  }

  #expiry(ttl: number): number {
    checkTtl(ttl)
    return this.#now() + ttl * 1000
  }
}
