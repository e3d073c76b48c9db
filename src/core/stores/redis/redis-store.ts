import { checkNames, kindOf } from '../../check.ts'
import { randomBytes } from '../../crypto/random.ts'
import { StoreUnavailableError } from '../../errors.ts'
import { checkBound, checkPrefix, checkTtl, LONGEST_TIMER, sized, type Bounds } from '../arguments.ts'
import type { NoticeListener } from '../notices.ts'
import type { ReplaceOutcome, SessionStore, StoredRecord, Version } from '../store.ts'
import { commandsOf, type Command, type RedisClient, type RedisCommands } from './redis-client.ts'
import { refusalOf, RedisServer } from './redis-server.ts'

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

/** Compare-and-swap; a record begins with its version. Nothing is refused without a write, which a replica does not take. */
const REPLACE = `local version = redis.call('GETRANGE', KEYS[1], 0, ${VERSION_BYTES - 1})
if version == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
  return 'replaced'
end
redis.call('GETEX', KEYS[1])
return version == '' and 'missing' or 'conflict'`

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

  async get(key: string, ttl: number | undefined, follows = false): Promise<StoredRecord | undefined> {
    const stored = this.#keyPrefix + key
    // GETEX also where the end stays: clients send a read to replicas, and no write.
    const lifetime = ttl === undefined ? [] : ['EX', seconds(ttl)]
    return await this.#ask('get', stored, ['GETEX', stored, ...lifetime], recordIn, follows)
  }

  async add(key: string, bytes: Uint8Array, ttl: number): Promise<Version | undefined> {
    const stored = this.#keyPrefix + key
    const { version, value } = versioned(sized(bytes, this.maxBytes))
    return await this.#ask('add', stored, ['SET', stored, value, 'NX', 'EX', seconds(ttl)], (reply) => {
      if (reply === null) return undefined
      expectOk(reply)
      return version
    })
  }

  async replace(key: string, bytes: Uint8Array, ttl: number, version: Version): Promise<ReplaceOutcome> {
    if (!(version instanceof Uint8Array)) {
      throw new TypeError('version: expected one that this store gave out')
    }
    const stored = this.#keyPrefix + key
    const { version: newer, value } = versioned(sized(bytes, this.maxBytes))
    const command = ['EVAL', REPLACE, '1', stored, Buffer.from(version), value, seconds(ttl)]
    return await this.#ask('replace', stored, command, (reply) => {
      const outcome = String(reply)
      if (outcome === 'replaced') return { outcome, version: newer }
      if (outcome === 'conflict' || outcome === 'missing') return { outcome }
      throw unexpected(reply)
    })
  }

  async set(key: string, bytes: Uint8Array, ttl: number): Promise<void> {
    const stored = this.#keyPrefix + key
    const { value } = versioned(sized(bytes, this.maxBytes))
    await this.#ask('set', stored, ['SET', stored, value, 'EX', seconds(ttl)], expectOk)
  }

  async delete(key: string): Promise<void> {
    const stored = this.#keyPrefix + key
    await this.#ask('delete', stored, ['DEL', stored], (reply) => {
      // Text, where ioredis is told `stringNumbers`.
      if (!/^\d+$/.test(String(reply))) throw unexpected(reply)
    })
  }

  /** Found out from INFO, once a minute while the store is in use, and after a failure. */
  watch(listener: NoticeListener): void {
    this.#listeners.push(listener)
    for (const { gate } of this.#servers.values()) gate.watch(listener)
  }

  /** Operations in flight, and all later ones, reject. The client is the application's, and stays as it is. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const server of this.#servers.values()) server.close()
  }

  async #ask<Result>(
    operation: string,
    stored: string,
    command: Command,
    read: (reply: unknown) => Result,
    follows = true,
  ): Promise<Result> {
    const send = () => this.#commands.send(stored, command)
    // A swap is recognised by its write id instead, an addition begins anew, and a SET might undo another one (M8).
    const isRepeatable = operation === 'get' || operation === 'delete'
    const again = (error: Error) => (refusalOf(error) ? Promise.reject(error) : send())
    try {
      const server = this.#serverOf(stored)
      return read(await server.ask(follows, isRepeatable ? () => send().catch(again) : send))
    } catch (error) {
      throw new StoreUnavailableError(operation, error)
    }
  }

  #serverOf(stored: string): RedisServer {
    const name = this.#commands.serverOf(stored)
    const known = this.#servers.get(name)
    if (known) return known
    const node = () => this.#commands.nodes().find((each) => each.name === name)
    const server = new RedisServer(name, this.#bounds, node, () => this.#probe(name))
    this.#servers.set(name, server)
    for (const listener of this.#listeners) server.gate.watch(listener)
    if (this.#isClosed) server.close()
    return server
  }

  /** For a key that no session has, begun as an access list wants it; in a cluster, one of that server's. */
  async #probe(server: string): Promise<unknown> {
    for (let tries = 0; tries < MOST_PROBES_TRIED; tries++) {
      const key = `${this.#keyPrefix}probe:${tries}`
      if (this.#commands.serverOf(key) === server) return await this.#commands.send(key, ['GETEX', key])
    }
    // Its slots are another's by now.
    this.#servers.get(server)?.close()
    this.#servers.delete(server)
    throw new Error('the server has no slots any more')
  }
}

/** Drawn here, not counted there: a version from before a delete never matches again. */
function versioned(bytes: Uint8Array): { version: Uint8Array; value: Buffer } {
  const version = randomBytes(VERSION_BYTES)
  return { version, value: Buffer.concat([version, bytes]) }
}

function recordIn(reply: unknown): StoredRecord | undefined {
  if (reply === null) return undefined
  if (!(reply instanceof Uint8Array)) throw unexpected(reply)
  // Copied: the value is a window on what the socket read.
  const copy = new Uint8Array(reply)
  return { version: copy.subarray(0, VERSION_BYTES), bytes: copy.subarray(VERSION_BYTES) }
}

function expectOk(reply: unknown): void {
  if (String(reply) !== 'OK') throw unexpected(reply)
}

/** Not repeated: it may be the answer to another question. */
function unexpected(reply: unknown): Error {
  return new Error(`the server answered what was not asked: ${kindOf(reply)}`)
}

function seconds(ttl: number): string {
  checkTtl(ttl)
  return String(ttl)
}
