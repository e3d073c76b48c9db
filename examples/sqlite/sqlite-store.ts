import { SessionDataError, StoreUnavailableError } from 'holdfast'
import type { ReplaceOutcome, SessionStore, StoredRecord, Version } from 'holdfast'
import { openDatabase, type Database, type Statement, type Value } from './database.ts'

/**
 * Sessions in a SQLite file, which the processes of one machine may share. SQLite runs one writing statement at a time,
 * so what is decided by one statement is decided for all of them.
 */
export class SqliteStore implements SessionStore {
  readonly maxBytes = 1_000_000
  readonly #database: Database
  readonly #now: () => number
  readonly #statements: Record<keyof typeof SQL, Statement>
  #adds = 0

  /** `now` is in milliseconds since the epoch. */
  static async open(file: string, now: () => number = Date.now): Promise<SqliteStore> {
    return new SqliteStore(await openDatabase(file), now)
  }

  private constructor(database: Database, now: () => number) {
    database.exec(SCHEMA)
    this.#database = database
    this.#now = now
    const prepared = Object.entries(SQL).map(([name, sql]) => [name, database.prepare(sql)])
    this.#statements = Object.fromEntries(prepared)
  }

  async get(key: string, ttl: number | undefined): Promise<StoredRecord | undefined> {
    const row =
      ttl === undefined
        ? this.#run('peek', key, this.#now())
        : this.#run('get', key, this.#expiry(ttl), this.#now())
    return row && { bytes: row['bytes'] as Uint8Array, version: row['version'] }
  }

  async add(key: string, bytes: Uint8Array, ttl: number): Promise<Version | undefined> {
    const expiry = this.#expiry(ttl)
    this.#checkSize(bytes)
    if (this.#adds++ % 100 === 0) this.#run('sweep', this.#now())
    return this.#run('add', key, bytes, expiry, this.#now())?.['version']
  }

  async replace(key: string, bytes: Uint8Array, ttl: number, version: Version): Promise<ReplaceOutcome> {
    const expiry = this.#expiry(ttl)
    this.#checkSize(bytes)
    const row = this.#run('replace', key, bytes, expiry, this.#now(), version as string)
    if (row) return { outcome: 'replaced', version: row['version'] }
    // Whatever was written since: this is what a replace of this very moment would be told.
    return { outcome: this.#run('find', key, this.#now()) ? 'conflict' : 'missing' }
  }

  async set(key: string, bytes: Uint8Array, ttl: number): Promise<void> {
    const expiry = this.#expiry(ttl)
    this.#checkSize(bytes)
    this.#run('set', key, bytes, expiry)
  }

  async delete(key: string): Promise<void> {
    this.#run('delete', key)
  }

  async close(): Promise<void> {
    this.#database.close()
  }

  #run(operation: keyof typeof SQL, ...values: Value[]): Record<string, unknown> | undefined {
    try {
      return this.#statements[operation].get(...values) ?? undefined
    } catch (cause) {
      throw new StoreUnavailableError(operation, cause)
    }
  }

  #expiry(ttl: number): number {
    if (Number.isSafeInteger(ttl) && ttl >= 1) return this.#now() + ttl * 1000
    throw new RangeError(`ttl: expected whole seconds of 1 or more, got ${ttl}`)
  }

  #checkSize({ length }: Uint8Array): void {
    if (length <= this.maxBytes) return
    throw new SessionDataError('ERR_SESSION_TOO_LARGE', `${length} bytes are more than ${this.maxBytes}`)
  }
}

/**
 * Who must wait for another process waits 250 ms at most; then it is an outage. A power cut may take the last writes
 * along, a sign-out among them: FULL prevents that, and syncs to the disk with every write, which a get is, too.
 */
const SCHEMA = `
  PRAGMA busy_timeout = 250;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS sessions (
    key TEXT PRIMARY KEY, bytes BLOB NOT NULL, expiry INTEGER NOT NULL, version TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expiry);
`

/** Random, since a count would begin anew with a record that is deleted and added again. */
const NEW_VERSION = 'hex(randomblob(8))'

/** Node binds an empty array as NULL, now and then. */
const BYTES = "coalesce(?2, x'')"

const SQL = {
  get: `UPDATE sessions SET expiry = ?2 WHERE key = ?1 AND expiry > ?3 RETURNING bytes, version`,
  peek: `SELECT bytes, version FROM sessions WHERE key = ?1 AND expiry > ?2`,
  add: `INSERT INTO sessions (key, bytes, expiry, version) VALUES (?1, ${BYTES}, ?3, ${NEW_VERSION})
    ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes, expiry = excluded.expiry, version = excluded.version
    WHERE sessions.expiry <= ?4 RETURNING version`,
  replace: `UPDATE sessions SET bytes = ${BYTES}, expiry = ?3, version = ${NEW_VERSION}
    WHERE key = ?1 AND expiry > ?4 AND version = ?5 RETURNING version`,
  find: `SELECT 1 FROM sessions WHERE key = ?1 AND expiry > ?2`,
  set: `REPLACE INTO sessions (key, bytes, expiry, version) VALUES (?1, ${BYTES}, ?3, ${NEW_VERSION})`,
  delete: `DELETE FROM sessions WHERE key = ?1`,
  // Not all at once, so that no visitor waits for a night's worth of them.
  sweep: `DELETE FROM sessions WHERE key IN (SELECT key FROM sessions WHERE expiry <= ?1 LIMIT 1000)`,
}
