import { checkNames } from '../../check.ts'
import { randomBytes } from '../../crypto/random.ts'
import { StoreUnavailableError } from '../../errors.ts'
import { checkBound, checkPrefix, checkTtl, LONGEST_TIMER, sized } from '../arguments.ts'
import type { NoticeListener } from '../notices.ts'
import type { ReplaceOutcome, SessionStore, StoredRecord, Version } from '../store.ts'
import { commandsOf, type Command, type RedisClient, type RedisCommands } from './redis-client.ts'
import { isRefused, RedisServer, type Bounds } from './redis-server.ts'

export type { RedisClient } from './redis-client.ts'

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
/** Redis's own bound, `proto-max-bulk-len`, unless it is set otherwise. */
const LARGEST_STRING = 2 ** 29

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
  readonly #bounds: Bounds
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
    checkPrefix(keyPrefix)
    this.#keyPrefix = keyPrefix
    this.maxBytes = checkBound('maxBytes', maxBytes, LARGEST_STRING - VERSION_BYTES)
    this.#bounds = {
      operationTimeoutMs: checkBound('operationTimeoutMs', operationTimeoutMs, LONGEST_TIMER),
      maxInFlight: checkBound('maxInFlight', maxInFlight, 2 ** 20),
    }
  }

  async get(
    key: string,
    ttl: number | undefined,
    follows: boolean = false,
  ): Promise<StoredRecord | undefined> {
    // With or without an end, it is a write to every client, so that none asks a replica.
    const lifetime = ttl === undefined ? [] : ['EX', seconds(ttl)]
    const value = await this.#ask('get', ['GETEX'], key, lifetime, follows)
    if (!(value instanceof Uint8Array)) return undefined
    // Copied: the value is a window on what the socket read.
    const copy = new Uint8Array(value)
    return { version: copy.subarray(0, VERSION_BYTES), bytes: copy.subarray(VERSION_BYTES) }
  }

  async add(key: string, bytes: Uint8Array, ttl: number): Promise<Version | undefined> {
    const { version, value } = versioned(sized(bytes, this.maxBytes))
    const reply = await this.#ask('add', ['SET'], key, [value, 'NX', 'EX', seconds(ttl)])
    return reply ? version : undefined
  }

  async replace(key: string, bytes: Uint8Array, ttl: number, version: Version): Promise<ReplaceOutcome> {
    if (!(version instanceof Uint8Array))
      throw new TypeError('version: expected one that this store gave out')
    const { version: newer, value } = versioned(sized(bytes, this.maxBytes))
    const rest = [Buffer.from(version), value, seconds(ttl)]
    const reply = await this.#ask('replace', ['EVAL', REPLACE, '1'], key, rest)
    const outcome = String(reply) as ReplaceOutcome['outcome']
    return outcome === 'replaced' ? { outcome, version: newer } : { outcome }
  }

  async set(key: string, bytes: Uint8Array, ttl: number): Promise<void> {
    await this.#ask('set', ['SET'], key, [versioned(sized(bytes, this.maxBytes)).value, 'EX', seconds(ttl)])
  }

  async delete(key: string): Promise<void> {
    await this.#ask('delete', ['DEL'], key, [])
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

  async #ask(
    operation: string,
    command: Command,
    key: string,
    rest: Command,
    follows: boolean = true,
  ): Promise<unknown> {
    const stored = this.#keyPrefix + key
    const send = () => this.#commands.send(stored, [...command, stored, ...rest])
    // A swap is recognised by its write id instead, an addition begins anew, and a SET might undo another one (M8).
    const isRepeatable = operation === 'get' || operation === 'delete'
    const again = (error: Error) => {
      if (isRefused(error)) throw error
      return send()
    }
    try {
      return await this.#serverOf(stored).ask(follows, isRepeatable ? () => send().catch(again) : send)
    } catch (error) {
      throw new StoreUnavailableError(operation, error)
    }
  }

  #serverOf(stored: string): RedisServer {
    const name = this.#commands.nameOf(stored)
    const known = this.#servers.get(name)
    if (known) return known
    const node = () => this.#commands.nodes().find((each) => each.name === name)
    const server = new RedisServer(name, this.#bounds, node, () => this.#probe(name))
    this.#servers.set(name, server)
    for (const listener of this.#listeners) server.watch(listener)
    if (this.#isClosed) server.close()
    return server
  }

  /** For a key that no session has, begun as an access list wants it; in a cluster, one of that server's. */
  #probe(server: string): Promise<unknown> {
    let tries = 0
    const key = () => `${this.#keyPrefix}probe:${tries}`
    while (this.#commands.nameOf(key()) !== server && tries < MOST_PROBES_TRIED) tries++
    return this.#commands.send(key(), ['GETEX', key()])
  }
}

/** Drawn here, not counted there: a version from before a delete never matches again. */
function versioned(bytes: Uint8Array): { version: Uint8Array; value: Buffer } {
  const version = randomBytes(VERSION_BYTES)
  return { version, value: Buffer.concat([version, bytes]) }
}

function seconds(ttl: number): string {
  checkTtl(ttl)
  return String(ttl)
}
