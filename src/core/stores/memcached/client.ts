import { Client } from 'memjs'
import { StoreUnavailableError } from '../../errors.ts'
import type { NoticeListener } from '../notices.ts'
import type { ReplaceOutcome, StoredRecord } from '../store.ts'
import { within } from '../deadline.ts'
import { serverName, type ServerAddress } from './address.ts'
import { Connection } from './connection.ts'
import { MemcachedError } from './memcached-error.ts'
import { rendezvous } from './placement.ts'
import { encodeRequest, Opcode, refusal, Status, type Reply, type Request } from './protocol.ts'
import type { ConnectionOptions } from './settings.ts'

/**
 * The few operations of memcached that sessions need, over its binary protocol and memjs. A port: another client could
 * stand behind the same methods. No other server steps in for one that fails, and nothing is sent twice that must happen
 * once (M8): when a connection is lost, only what may be repeated is, within the same deadline.
 *
 * Rejects with `StoreUnavailableError` when the server cannot be asked, refuses, or does not keep versions. A version is
 * the 8 bytes of memcached's CAS, never a number: it does not fit one.
 */
export class MemcachedClient {
  readonly #memjs: Client
  readonly #connections: readonly Connection[]
  readonly #place: (key: string) => number
  readonly #timeoutMs: number
  #sequence: number

  /** `firstSequence` is the number of the first request, for the test that passes 2^31 and 2^32 (M4). */
  constructor(servers: readonly ServerAddress[], options: ConnectionOptions, firstSequence = 0) {
    this.#connections = servers.map((server) => new Connection(server, options))
    // For memjs, one try is one retry; its logger would print hosts to the console (M10).
    this.#memjs = new Client([...this.#connections], { retries: 1, failover: false, logger: { log() {} } })
    this.#place = rendezvous(servers.map(serverName))
    this.#memjs.getServer = (key) => String(this.#place(key))
    this.#timeoutMs = options.operationTimeoutMs
    this.#sequence = firstSequence
  }

  /** Reads, and sets the time to live of whatever it finds, leaving the version alone (M15). */
  getAndTouch(key: string, ttl: number, follows = false): Promise<StoredRecord | undefined> {
    const request = { opcode: Opcode.getAndTouch, key, expiry: expiry(ttl) }
    return this.#ask('get', request, MISSING, recordIn, follows)
  }

  /** Reads, and leaves the time to live alone. */
  get(key: string, follows = false): Promise<StoredRecord | undefined> {
    return this.#ask('get', { opcode: Opcode.get, key }, MISSING, recordIn, follows)
  }

  /** Stores only where nothing is; `undefined` when the key is taken. */
  add(key: string, value: Uint8Array, ttl: number): Promise<Uint8Array | undefined> {
    return this.#ask('add', { opcode: Opcode.add, key, expiry: expiry(ttl), value }, TAKEN, (reply) =>
      reply.status === Status.taken ? undefined : versionIn(reply),
    )
  }

  /** Stores only over this very version. REPLACE, not SET: refused for size or memory, SET deletes the old value (M6). */
  replace(key: string, value: Uint8Array, ttl: number, version: Uint8Array): Promise<ReplaceOutcome> {
    if (isZero(version))
      return Promise.reject(new StoreUnavailableError('replace', new MemcachedError('ERR_NO_VERSIONS')))
    const request = { opcode: Opcode.replace, key, expiry: expiry(ttl), value, version }
    return this.#ask('replace', request, TAKEN_OR_MISSING, (reply) => {
      if (reply.status === Status.taken) return { outcome: 'conflict' }
      if (reply.status === Status.missing) return { outcome: 'missing' }
      return { outcome: 'replaced', version: versionIn(reply) }
    })
  }

  /** Stores whatever is there. */
  set(key: string, value: Uint8Array, ttl: number): Promise<void> {
    return this.#ask('set', { opcode: Opcode.set, key, expiry: expiry(ttl), value }, [], () => {})
  }

  /** Removes; missing is a success. */
  delete(key: string): Promise<void> {
    return this.#ask('delete', { opcode: Opcode.delete, key }, MISSING, () => {})
  }

  /** Tells what happens to each server, from now on (K3). */
  watch(listener: NoticeListener): void {
    for (const { gate } of this.#connections) gate.watch(listener)
  }

  /** Ends every connection at once; what is in flight rejects, and so does everything later. */
  close(): void {
    this.#memjs.close()
  }

  /** What the server says of itself, by name; of a client with one server. `group`: `settings`, `items`, `slabs`. */
  stats(group = ''): Promise<Map<string, string>> {
    const stats = new Map<string, string>()
    return this.#ask('stats', { opcode: Opcode.stat, key: group }, [], ({ key, value }) => {
      if (key.length > 0) stats.set(String(key), String(value))
      return stats
    })
  }

  /**
   * What `read` makes of the last reply, of which only {@link stats} has more than one. Rejects with memcached's refusal
   * for every status but success and those `expected` besides. Writes follow a read, or what the handler did instead.
   */
  #ask<Result>(
    operation: string,
    request: Request,
    expected: readonly number[],
    read: (reply: Reply) => Result,
    follows = true,
  ): Promise<Result> {
    const failure = (cause: unknown) => new StoreUnavailableError(operation, cause)
    const refused = follows ? undefined : this.#connections[this.#place(request.key!)]!.refusal(false)
    if (refused) return Promise.reject(failure(refused))
    const startedAt = performance.now()
    // One promise an operation: each that waits for another costs as much as encoding the request.
    return new Promise((resolve, reject) => {
      this.#exchange(request, expected, read, resolve, (error) => {
        const left = this.#timeoutMs - (performance.now() - startedAt)
        const isLost = error instanceof MemcachedError && error.code === 'ERR_CONNECTION_LOST'
        if (!isLost || !REPEATABLE.has(request.opcode) || left <= 0) return reject(failure(error))
        const again = () =>
          new Promise<Result>((resolve, reject) => {
            this.#exchange(request, expected, read, resolve, reject)
          })
        within(left, again, failure).then(resolve, reject)
      })
    })
  }

  #exchange<Result>(
    request: Request,
    expected: readonly number[],
    read: (reply: Reply) => Result,
    resolve: (result: Result) => void,
    reject: (error: unknown) => void,
  ): void {
    // Unsigned: memjs's own counter turns negative after 2^31 operations, and then every call throws (M4).
    const sequence = (this.#sequence = (this.#sequence + 1) >>> 0)
    const { key = '' } = request
    this.#memjs.perform(key, encodeRequest(request, sequence), sequence, (error, response) => {
      if (error) return reject(error)
      // Our Connection answers with its own.
      const reply = response as unknown as Reply
      const { status } = reply
      if (status !== Status.ok && !expected.includes(status)) return reject(refusal(status))
      try {
        const result = read(reply)
        if (reply.isLast) resolve(result)
      } catch (refused) {
        reject(refused)
      }
    })
  }
}

const MISSING: readonly number[] = [Status.missing]
const TAKEN: readonly number[] = [Status.taken]
const TAKEN_OR_MISSING: readonly number[] = [Status.taken, Status.missing]

const LONGEST_RELATIVE_EXPIRY = 30 * 24 * 60 * 60
const LATEST_EXPIRY = 2 ** 32 - 1

/**
 * A time to live as memcached reads it: up to 30 days in seconds, beyond that as a Unix time. Sent as they are, 31 days
 * would be a day in 1970: stored, and gone (M7).
 */
export function expiry(ttl: number, nowSeconds: number = Math.ceil(Date.now() / 1000)): number {
  return ttl <= LONGEST_RELATIVE_EXPIRY ? ttl : Math.min(nowSeconds + ttl, LATEST_EXPIRY)
}

/**
 * What does no harm when it happens twice, and late. A swap is recognised by its write id instead, an addition begins
 * anew, and a SET might undo another one.
 */
const REPEATABLE: ReadonlySet<number> = new Set([Opcode.get, Opcode.getAndTouch, Opcode.delete])

function recordIn(reply: Reply): StoredRecord | undefined {
  if (reply.status === Status.missing) return undefined
  // Copied: the value is a window on what the socket read, up to 64 KiB that belong to other sessions too.
  return { bytes: new Uint8Array(reply.value), version: versionIn(reply) }
}

/** A swap with version 0 is unconditional and would bring a session that was signed out back to life (M13). */
function versionIn({ version }: Reply): Uint8Array {
  if (isZero(version)) throw new MemcachedError('ERR_NO_VERSIONS')
  return new Uint8Array(version)
}

function isZero(version: Uint8Array): boolean {
  for (let index = 0; index < version.length; index++) if (version[index] !== 0) return false
  return true
}
