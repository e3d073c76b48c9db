/** The store's own mark of one state of one record; opaque to everybody else. */
export type Version = unknown

/** What `get` of a {@link SessionStore} found. */
export interface StoredRecord {
  /** The caller's own copy. */
  bytes: Uint8Array
  /** Of this state of the record, to hand to `replace`. */
  version: Version
}

/** What became of a `replace` of a {@link SessionStore}. */
export type ReplaceOutcome =
  | { outcome: 'replaced'; version: Version }
  | { outcome: 'conflict' }
  | { outcome: 'missing' }

/** What happened to a server of the store: an event of the same type. */
export interface StoreNotice {
  /** As the event is called. */
  type: 'server-down' | 'server-up' | 'server-restarted' | 'server-flushed' | 'server-evicting'
  /** Host and port, without credentials. */
  server: string
  /** How many records were evicted. */
  count?: number
  /** Since when, in milliseconds since the epoch. */
  since?: number
  /** What it failed with, when it is down. */
  error?: unknown
}

/**
 * Where records live. A store knows keys, bytes, seconds and versions; it never sees a cookie, a token or a session.
 *
 * - `key` is 43 characters of base64url; a store may put a prefix of its own before it.
 * - `ttl` is in whole seconds, 1 or more, counted from the call. A record is gone once it has run out.
 * - `bytes` belong to whoever holds them: a store keeps a copy and hands out a copy.
 * - A rejection means *outage* (`StoreUnavailableError`), never *not found*; the operation may or may not have happened.
 * - Every operation settles within a bounded time, whatever the server does.
 * - What an operation did is so for every store on the same data, at once.
 *
 * Compare-and-swap is what keeps parallel requests from losing each other's writes, so a store that cannot do it
 * cannot implement this interface, by design.
 */
export interface SessionStore {
  /**
   * Reads a record and restarts its time to live in the same step, or without a `ttl` leaves that alone; `undefined`
   * when there is none. `follows` says that this request was served before: a store that refuses while too much waits
   * refuses what begins, and reads that do not follow alone begin something.
   */
  get(key: string, ttl: number | undefined, follows?: boolean): Promise<StoredRecord | undefined>

  /** Writes a new record and returns its version; `undefined` when the key is taken, and then changes nothing. */
  add(key: string, bytes: Uint8Array, ttl: number): Promise<Version | undefined>

  /**
   * Writes only if the record still is at `version`: every write in between makes it a `conflict`, a read does not.
   * A record that is gone is `missing` and is not made again.
   */
  replace(key: string, bytes: Uint8Array, ttl: number, version: Version): Promise<ReplaceOutcome>

  /** Writes unconditionally: for ending a session that writers keep busy, never for data. */
  set(key: string, bytes: Uint8Array, ttl: number): Promise<void>

  /** Removes the record; one that is missing is a success. */
  delete(key: string): Promise<void>

  /**
   * Tells what an operator should know of the store's servers, from now on, each thing once. No operation of a visitor
   * is spent on finding it out.
   */
  watch?(listener: (notice: StoreNotice) => void): void

  /** Lets go of connections; operations in flight are rejected. */
  close?(): Promise<void>

  /** The largest record, in bytes, that the store takes. Without it there is no bound. */
  readonly maxBytes?: number | undefined
}
