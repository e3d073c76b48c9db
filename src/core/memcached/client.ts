import { Client, Utils, type Response } from 'memjs'
import type { ReplaceOutcome, StoredRecord } from '../store.ts'
import { within } from '../within.ts'
import { serverName, type ServerAddress } from './address.ts'
import { Connection } from './connection.ts'
import { ConnectionLostError, type ConnectionOptions } from './link.ts'
import { rendezvous } from './placement.ts'
import { Opcode, refusal, Status, VERSION_OFFSET } from './protocol.ts'

/**
 * The few operations of memcached that sessions need, over its binary protocol and memjs. A port: another client could
 * stand behind the same methods. No other server steps in for one that fails, and nothing is sent twice that must happen
 * once (M8): when a connection is lost, only what may be repeated is, within the same deadline.
 *
 * Rejects when the server cannot be asked, refuses, or does not keep versions. A version is the 8 bytes of memcached's
 * CAS, never a number: it does not fit one.
 */
export class MemcachedClient {
  readonly #memjs: Client
  readonly #timeoutMs: number
  #sequence: number

  /** @param firstSequence - the number of the first request; for the test that passes 2^31 and 2^32 (M4) */
  constructor(servers: readonly ServerAddress[], options: ConnectionOptions, firstSequence = 0) {
    const connections = servers.map((server) => new Connection(server, options))
    // For memjs, one try is one retry; its logger would print hosts to the console (M10).
    this.#memjs = new Client(connections, { retries: 1, failover: false, logger: { log() {} } })
    const place = rendezvous(servers.map(serverName))
    this.#memjs.getServer = (key) => String(place(key))
    this.#timeoutMs = options.operationTimeoutMs
    this.#sequence = firstSequence
  }

  /** Reads, and sets the time to live of whatever it finds, leaving the version alone (M15). */
  async getAndTouch(key: string, ttl: number): Promise<StoredRecord | undefined> {
    const extras = Utils.makeExpiration(expiry(ttl))
    const reply = await this.#ask(Opcode.getAndTouch, key, [Status.missing], { extras })
    if (reply.header.status === Status.missing) return undefined
    // Copied: the value is a window on what the socket read, up to 64 KiB that belong to other sessions too.
    return { bytes: new Uint8Array(reply.val), version: versionIn(reply) }
  }

  /** Stores only where nothing is; `undefined` when the key is taken. */
  async add(key: string, bytes: Uint8Array, ttl: number): Promise<Uint8Array | undefined> {
    const reply = await this.#ask(Opcode.add, key, [Status.taken], { extras: storageExtras(ttl), bytes })
    return reply.header.status === Status.taken ? undefined : versionIn(reply)
  }

  /** Stores only over this very version. REPLACE, not SET: refused for size or memory, SET deletes the old value (M6). */
  async compareAndSwap(
    key: string,
    bytes: Uint8Array,
    ttl: number,
    version: Uint8Array,
  ): Promise<ReplaceOutcome> {
    if (isZero(version)) throw new Error(WITHOUT_VERSIONS)
    const body = { extras: storageExtras(ttl), bytes, version }
    const reply = await this.#ask(Opcode.replace, key, [Status.taken, Status.missing], body)
    if (reply.header.status === Status.taken) return { outcome: 'conflict' }
    if (reply.header.status === Status.missing) return { outcome: 'missing' }
    return { outcome: 'replaced', version: versionIn(reply) }
  }

  /** Stores whatever is there. */
  async set(key: string, bytes: Uint8Array, ttl: number): Promise<void> {
    await this.#ask(Opcode.set, key, [], { extras: storageExtras(ttl), bytes })
  }

  /** Removes; missing is a success. */
  async delete(key: string): Promise<void> {
    await this.#ask(Opcode.delete, key, [Status.missing], {})
  }

  /** Ends every connection at once; what is in flight rejects, and so does everything later. */
  close(): void {
    this.#memjs.close()
  }

  /** What the server says of itself, by name; of a client with one server. `group`: `settings`, `items`, `slabs`. */
  async stats(group = ''): Promise<Map<string, string>> {
    const stats = new Map<string, string>()
    await this.#ask(Opcode.stat, group, [], {}, ({ key, val }) => void stats.set(String(key), String(val)))
    stats.delete('')
    return stats
  }

  /** Rejects with memcached's refusal for every status but success and those `expected` besides. */
  async #ask(
    opcode: number,
    key: string,
    expected: readonly number[],
    body: Body,
    onReply?: (reply: Response) => void,
  ): Promise<Response> {
    const startedAt = performance.now()
    let reply: Response
    try {
      reply = await this.#exchange(opcode, key, body, onReply)
    } catch (error) {
      const left = this.#timeoutMs - (performance.now() - startedAt)
      const isRepeatable = error instanceof ConnectionLostError && REPEATABLE.has(opcode)
      if (!isRepeatable || left <= 0) throw error
      reply = await within(left, this.#exchange(opcode, key, body, onReply))
    }
    const { status } = reply.header
    if (status === Status.ok || expected.includes(status)) return reply
    throw new Error(`memcached refused: ${refusal(status)}`)
  }

  /** Resolves with the last reply, of which only {@link stats} has more than one. */
  #exchange(
    opcode: number,
    key: string,
    { extras = EMPTY, bytes = EMPTY, version }: Body,
    onReply?: (reply: Response) => void,
  ): Promise<Response> {
    // Unsigned: memjs's own counter turns negative after 2^31 operations, and then every call throws (M4).
    const sequence = (this.#sequence = (this.#sequence + 1) >>> 0)
    const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const request = Utils.makeRequestBuffer(opcode, key, extras, value, sequence)
    if (version) request.set(version, VERSION_OFFSET)
    return new Promise((resolve, reject) => {
      this.#memjs.perform(key, request, sequence, (error, response: Response) => {
        if (error) return reject(error)
        onReply?.(response)
        if (!onReply || response.key.length === 0) resolve(response)
      })
    })
  }
}

interface Body {
  extras?: Buffer
  bytes?: Uint8Array
  version?: Uint8Array
}

const EMPTY: Buffer = Buffer.alloc(0)

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
const REPEATABLE: ReadonlySet<number> = new Set([Opcode.getAndTouch, Opcode.delete])

const WITHOUT_VERSIONS =
  'memcached keeps no versions, so parallel writes cannot be told apart: start it without -C (--disable-cas)'

/** Four bytes of flags, which sessions do not use, and the expiry. */
function storageExtras(ttl: number): Buffer {
  return Buffer.concat([Buffer.alloc(4), Utils.makeExpiration(expiry(ttl))])
}

/** A swap with version 0 is unconditional and would bring a session that was signed out back to life (M13). */
function versionIn({ header }: Response): Uint8Array {
  if (isZero(header.cas)) throw new Error(WITHOUT_VERSIONS)
  return new Uint8Array(header.cas)
}

function isZero(version: Uint8Array): boolean {
  return version.every((byte) => byte === 0)
}
