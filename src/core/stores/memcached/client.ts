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

  /** Reads; with a `ttl` also sets the time to live of whatever it finds, leaving the version alone (M15). */
  get(key: string, ttl?: number, follows = false): Promise<StoredRecord | undefined> {
    const opcode = ttl === undefined ? Opcode.get : Opcode.getAndTouch
    return this.#ask('get', { opcode, key, ttl }, recordIn, follows)
  }

  /** Stores only where nothing is; `undefined` when the key is taken. */
  add(key: string, value: Uint8Array, ttl: number): Promise<Uint8Array | undefined> {
    return this.#ask('add', { opcode: Opcode.add, key, ttl, value }, (reply) =>
      reply.status === Status.taken ? undefined : versionIn(reply),
    )
  }

  /** Stores only over this very version. REPLACE, not SET: refused for size or memory, SET deletes the old value (M6). */
  replace(key: string, value: Uint8Array, ttl: number, version: Uint8Array): Promise<ReplaceOutcome> {
    if (isZero(version))
      return Promise.reject(new StoreUnavailableError('replace', new MemcachedError('ERR_NO_VERSIONS')))
    const request = { opcode: Opcode.replace, key, ttl, value, version }
    return this.#ask('replace', request, (reply) => {
      if (reply.status === Status.taken) return { outcome: 'conflict' }
      if (reply.status === Status.missing) return { outcome: 'missing' }
      return { outcome: 'replaced', version: versionIn(reply) }
    })
  }

  /** Stores whatever is there. */
  set(key: string, value: Uint8Array, ttl: number): Promise<void> {
    return this.#ask('set', { opcode: Opcode.set, key, ttl, value }, expectOk)
  }

  /** Removes; missing is a success. */
  delete(key: string): Promise<void> {
    return this.#ask('delete', { opcode: Opcode.delete, key }, (reply) => {
      if (reply.status !== Status.missing) expectOk(reply)
    })
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
    return this.#ask('stats', { opcode: Opcode.stat, key: group }, (reply) => {
      expectOk(reply)
      if (!reply.isLast) stats.set(String(reply.key), String(reply.value))
      return stats
    })
  }

  /**
   * What `read` makes of the last reply, of which only {@link stats} has more than one; it refuses each status that the
   * operation does not know. Writes follow a read, or what the handler did instead.
   */
  #ask<Result>(
    operation: string,
    request: Request,
    read: (reply: Reply) => Result,
    follows = true,
  ): Promise<Result> {
    const failure = (cause: unknown) => new StoreUnavailableError(operation, cause)
    const refused = follows ? undefined : this.#connections[this.#place(request.key)]!.refusal(false)
    if (refused) return Promise.reject(failure(refused))
    const startedAt = performance.now()
    // One promise an operation: each that waits for another costs as much as encoding the request.
    return new Promise((resolve, reject) => {
      this.#exchange(request, read, resolve, (error) => {
        const left = this.#timeoutMs - (performance.now() - startedAt)
        const isLost = error instanceof MemcachedError && error.code === 'ERR_CONNECTION_LOST'
        if (!isLost || !REPEATABLE.has(request.opcode) || left <= 0) return reject(failure(error))
        const again = () =>
          new Promise<Result>((resolve, reject) => {
            this.#exchange(request, read, resolve, reject)
          })
        within(left, again, failure).then(resolve, reject)
      })
    })
  }

  #exchange<Result>(
    request: Request,
    read: (reply: Reply) => Result,
    resolve: (result: Result) => void,
    reject: (error: unknown) => void,
  ): void {
    // Unsigned: memjs's own counter turns negative after 2^31 operations, and then every call throws (M4).
    const sequence = (this.#sequence = (this.#sequence + 1) >>> 0)
    this.#memjs.perform(request.key, encodeRequest(request, sequence), sequence, (error, response) => {
      if (error) return reject(error)
      // Our Connection answers with its own.
      const reply = response as unknown as Reply
      try {
        const result = read(reply)
        if (reply.isLast) resolve(result)
      } catch (refused) {
        reject(refused)
      }
    })
  }
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
function versionIn(reply: Reply): Uint8Array {
  expectOk(reply)
  const { version } = reply
  if (isZero(version)) throw new MemcachedError('ERR_NO_VERSIONS')
  return new Uint8Array(version)
}

function expectOk({ status }: Reply): void {
  if (status !== Status.ok) throw refusal(status)
}

function isZero(version: Uint8Array): boolean {
  for (let index = 0; index < version.length; index++) if (version[index] !== 0) return false
  return true
}
