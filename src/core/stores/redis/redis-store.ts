import { checkNames, checkWhole, kindOf } from '../../check.ts'
import { randomBytes } from '../../crypto/random.ts'
import { SessionDataError, StoreUnavailableError } from '../../errors.ts'
import type { NoticeListener } from '../notices.ts'
import type { ReplaceOutcome, SessionStore, StoredRecord, Version } from '../store.ts'
import { commandsOf, type RedisClient, type RedisCommands } from './redis-client.ts'
import { isLost, RedisServer } from './redis-server.ts'

export type { IoredisClient, NodeRedisClient, RedisClient } from './redis-client.ts'

/** Options of {@link RedisStore}. */
export interface RedisStoreOptions {
  /** Put before every key: printable ASCII without spaces; in a cluster it may hold a hash tag. Default `'session:'`. */
  keyPrefix?: string | undefined
  /** Milliseconds for one operation, from the call to the answer, whatever the client does meanwhile. Default 250. */
  operationTimeoutMs?: number | undefined
  /** Operations that wait for one server at a time; while there are as many, a request that begins fails at once. Default 4096. */
  maxInFlight?: number | undefined
  /** The largest record in bytes. Default 1 000 000. */
  maxBytes?: number | undefined
}

const VERSION_BYTES = 8
/** Of a hundred servers each is found; one that has no slots any more is not. */
const MOST_PROBES_TRIED = 1000

/** Compare-and-swap; a record begins with its version. */
const REPLACE = `local version = redis.call('GETRANGE', KEYS[1], 0, ${VERSION_BYTES - 1})
if version == '' then return 'missing' end
if version ~= ARGV[1] then return 'conflict' end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 'replaced'`

/**
 * A {@link SessionStore} in Redis 6.2 or later, or Valkey, one server or a cluster, over the application's own client:
 * of ioredis, iovalkey or redis (node-redis) 5 or later. Only masters are asked.
 *
 * Every operation settles within `operationTimeoutMs`: with an answer, or with `StoreUnavailableError`; what was not
 * answered in time may still be carried out. A record over `maxBytes` rejects with `SessionDataError` before anything is
 * sent, a `ttl` that is no whole number above 0 with `RangeError` or `TypeError`.
 *
 * Another client, and wrong options, throw `TypeError` or `RangeError`.
 *
 * @example
 * new RedisStore(new Redis('redis://10.0.0.1'))
 * new RedisStore(await createClient({ url: 'redis://10.0.0.1' }).connect(), { keyPrefix: 'shop:' })
 */
export class RedisStore implements SessionStore {
  readonly maxBytes: number
  readonly #commands: RedisCommands
  readonly #keyPrefix: string
  readonly #bounds: { operationTimeoutMs: number; maxInFlight: number }
  readonly #servers = new Map<string, RedisServer>()
  readonly #listeners: NoticeListener[] = []
  #isClosed = false

  constructor(client: RedisClient, options: RedisStoreOptions = {}) {
    this.#commands = commandsOf(client)
    checkNames('RedisStore', options, ['keyPrefix', 'operationTimeoutMs', 'maxInFlight', 'maxBytes'])
    const {
      keyPrefix = 'session:',
      operationTimeoutMs = 250,
      maxInFlight = 4096,
      maxBytes = 1_000_000,
    } = options
    if (typeof keyPrefix !== 'string' || !/^[!-~]*$/.test(keyPrefix)) {
      throw new TypeError(`keyPrefix: expected printable ASCII without spaces, got ${kindOf(keyPrefix)}`)
    }
    for (const [name, value, most] of [
      ['operationTimeoutMs', operationTimeoutMs, 2 ** 31 - 1],
      ['maxInFlight', maxInFlight, 2 ** 20],
      ['maxBytes', maxBytes, 2 ** 29 - VERSION_BYTES],
    ] as const) {
      checkWhole(name, value, `a whole number from 1 to ${most}`, most)
    }
    this.#keyPrefix = keyPrefix
    this.#bounds = { operationTimeoutMs, maxInFlight }
    this.maxBytes = maxBytes
  }

  async get(
    key: string,
    ttl: number | undefined,
    follows: boolean = false,
  ): Promise<StoredRecord | undefined> {
    // With or without an end, it is a write to every client, so that none asks a replica.
    const lifetime = ttl === undefined ? [] : ['EX', seconds(ttl)]
    const value = await this.#ask('get', key, (stored) => ['GETEX', stored, ...lifetime], follows)
    if (!(value instanceof Uint8Array)) return undefined
    // Copied: the value is a window on what the socket read.
    const copy = new Uint8Array(value)
    return { version: copy.subarray(0, VERSION_BYTES), bytes: copy.subarray(VERSION_BYTES) }
  }

  async add(key: string, bytes: Uint8Array, ttl: number): Promise<Version | undefined> {
    const { version, value } = this.#versioned(bytes)
    const lifetime = ['NX', 'EX', seconds(ttl)]
    return (await this.#ask('add', key, (stored) => ['SET', stored, value, ...lifetime]))
      ? version
      : undefined
  }

  async replace(key: string, bytes: Uint8Array, ttl: number, version: Version): Promise<ReplaceOutcome> {
    if (!(version instanceof Uint8Array)) {
      throw new TypeError('version: expected one that this store gave out')
    }
    const { version: newer, value } = this.#versioned(bytes)
    const rest = [Buffer.from(version), value, seconds(ttl)]
    const reply = await this.#ask('replace', key, (stored) => ['EVAL', REPLACE, '1', stored, ...rest])
    const outcome = String(reply) as ReplaceOutcome['outcome']
    return outcome === 'replaced' ? { outcome, version: newer } : { outcome }
  }

  async set(key: string, bytes: Uint8Array, ttl: number): Promise<void> {
    const { value } = this.#versioned(bytes)
    const lifetime = ['EX', seconds(ttl)]
    await this.#ask('set', key, (stored) => ['SET', stored, value, ...lifetime])
  }

  async delete(key: string): Promise<void> {
    await this.#ask('delete', key, (stored) => ['DEL', stored])
  }

  /** Found out from INFO, once a minute while the store is in use, and after a failure. */
  watch(listener: NoticeListener): void {
    this.#listeners.push(listener)
    for (const server of this.#servers.values()) server.watch(listener)
  }

  /** Operations in flight, and all later ones, reject. The client is the application's, and stays as it is. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const server of this.#servers.values()) server.close()
  }

  /** A version is drawn here, not counted there, so that one from before a delete never matches again. */
  #versioned(bytes: Uint8Array): { version: Uint8Array; value: Buffer } {
    if (bytes.length > this.maxBytes) {
      throw new SessionDataError(
        'ERR_SESSION_TOO_LARGE',
        `the sealed session has ${bytes.length} bytes, more than maxBytes (${this.maxBytes})`,
      )
    }
    const version = randomBytes(VERSION_BYTES)
    return { version, value: Buffer.concat([version, bytes]) }
  }

  /** When the connection is lost, what may happen twice, and late, is asked once more within the same deadline (M8). */
  async #ask(operation: string, key: string, args: Command, follows: boolean = true): Promise<unknown> {
    const stored = this.#keyPrefix + key
    const startedAt = performance.now()
    const ask = () =>
      this.#serverOf(stored).ask(startedAt, follows, () => this.#commands.send(stored, args(stored)))
    try {
      return await ask().catch((error: unknown) => {
        if (!isLost(error) || (operation !== 'get' && operation !== 'delete')) throw error
        return ask()
      })
    } catch (error) {
      throw new StoreUnavailableError(operation, error)
    }
  }

  #serverOf(stored: string): RedisServer {
    const name = this.#commands.nameOf(stored)
    const known = this.#servers.get(name)
    if (known) return known
    const server = new RedisServer(
      name,
      this.#bounds,
      () => this.#commands.nodes().find((node) => node.name === name),
      () => this.#probe(name),
    )
    this.#servers.set(name, server)
    for (const listener of this.#listeners) server.watch(listener)
    if (this.#isClosed) server.close()
    return server
  }

  /** For a key that no session has; in a cluster, one of that server's. */
  async #probe(server: string): Promise<unknown> {
    let tries = 0
    const key = () => `${this.#keyPrefix}probe:${tries}`
    while (this.#commands.nameOf(key()) !== server && tries < MOST_PROBES_TRIED) tries++
    return this.#commands.send(key(), ['GETEX', key()])
  }
}

type Command = (stored: string) => readonly (string | Buffer)[]

function seconds(ttl: number): string {
  checkWhole('ttl', ttl, 'whole seconds of 1 or more')
  return String(ttl)
}
