import { shownKey } from '../check.ts'
import { after, type Eventually } from '../crypto/eventually.ts'
import type { Keyring, Keys } from '../crypto/keyring.ts'
import { SessionDataError, SessionError, StoreUnavailableError } from '../errors.ts'
import type { EndReason, SessionEvent, SessionEventType } from '../events.ts'
import type { OpenedRecords } from './opened-records.ts'
import { decodeRecord, encodeRecord, secondsUntil, type LiveRecord, type Tombstone } from './record.ts'
import type { ReplaceOutcome, SessionStore, Version } from '../stores/store.ts'
import { scratch } from '../scratch.ts'
import { within } from '../stores/deadline.ts'
import type { MarkChanges } from './mark-changes.ts'
import type { Turns } from './turns.ts'

/** A session whose record was read live. */
export interface LiveSession {
  keys: Keys
  record: LiveRecord
  version: Version
  /** When its time to live was last restarted here, in milliseconds since the epoch; unknown where it was read and left alone. */
  renewedAt: number | undefined
}

/** What lay under a store key; no record for what cannot be opened or understood, which is told. */
export interface Found<Kind> {
  record: Kind | undefined
  version: Version
}

/** What the sessions of one manager share. Timeouts in seconds. */
export interface Services {
  readonly store: SessionStore
  readonly keyring: Keyring
  readonly opened: OpenedRecords
  readonly cookieName: string
  readonly idleTimeout: number | false
  readonly absoluteTimeout: number
  /** What a read restarts, before the record can say otherwise. */
  readonly loadTtl: number
  readonly persistent: boolean
  readonly maxSessionsPerUser: number
  readonly turns: Turns<LiveSession>
  readonly markChanges: MarkChanges
  /** Milliseconds since the epoch. */
  now(): number
  emit(type: SessionEventType, details?: Omit<SessionEvent, 'type' | 'at'>): void
}

/** How long a load, and a commit, may keep its request waiting for the store, in milliseconds. */
const BUDGET_MS = 600

/** What another attempt needs to be answered. */
export const LEAST_TIME_MS = 100

/** Sealed records on the store, for one load or one commit: it counts the round trips and bounds the time. */
export class RecordIO {
  readonly services: Services
  readonly #follows: boolean
  /** Whether an event told what was found. */
  hasTold = false
  #startedAt: number | undefined
  #roundTrips = 0

  /** @param follows - whether the request was served before, as by a load: then a store that has too much to do should not refuse it (F4) */
  constructor(services: Services, follows = false) {
    this.services = services
    this.#follows = follows
  }

  /** Milliseconds left of the budget, which runs from the first question for it. */
  timeLeft(): number {
    const now = performance.now()
    this.#startedAt ??= now
    return this.#startedAt + BUDGET_MS - now
  }

  /** The session's record under its token's store key. */
  read(keys: Keys, ttl: number | undefined): Promise<Found<LiveRecord | Tombstone> | undefined> {
    const { keyring } = this.services
    return this.find(keys.storeKey, ttl, (bytes) => keyring.open(keys, bytes), decodeRecord)
  }

  /** What lies under a store key, as `open` and `decode` have it; `undefined` where nothing does. */
  find<Kind extends object>(
    storeKey: string,
    ttl: number | undefined,
    open: (sealed: Uint8Array) => ReturnType<Keyring['open']>,
    decode: (text: string) => Kind | undefined,
  ): Promise<Found<Kind> | undefined> {
    const { store, opened, emit } = this.services
    const follows = this.#follows || this.#roundTrips > 0
    return this.ask('get', () => store.get(storeKey, ttl, follows)).then((stored) => {
      if (!stored) {
        opened.forget(storeKey)
        return undefined
      }
      const { version } = stored
      const known = opened.recall(storeKey, stored.bytes, decode)
      if (known) return { record: known, version }
      // A copy, made before anything is waited for: a store may hand out a view on what its socket reads into.
      const bytes = scratch(stored.bytes)
      return after(open(bytes), (text) => {
        const record = text ? decode(text) : undefined
        // A tombstone is not read again and again, so nobody remembers it.
        if (!record) {
          this.hasTold = true
          emit('invalid')
        } else if ('ended' in record) opened.forget(storeKey)
        else opened.remember(storeKey, bytes, text!)
        return { record, version }
      })
    })
  }

  /** Restarts the time to live. */
  async touch(keys: Keys, ttl: number): Promise<void> {
    await this.ask('get', () => this.services.store.get(keys.storeKey, ttl, true))
  }

  /** `undefined` when the key is taken. */
  async add(keys: Keys, record: LiveRecord): Promise<Version | undefined> {
    const bytes = await this.#seal(keys, record)
    return await this.ask('add', () => this.services.store.add(keys.storeKey, bytes, this.ttlOf(record)))
  }

  /** Of what cannot be sealed it throws, or rejects where crypto takes its time. */
  replace(keys: Keys, record: LiveRecord | Tombstone, version: Version): Promise<ReplaceOutcome> {
    const { opened, store } = this.services
    const { storeKey } = keys
    const ask = (bytes: Uint8Array) =>
      this.ask('replace', () => store.replace(storeKey, bytes, this.ttlOf(record), version))
    const sealed = this.#seal(keys, record)
    const asked = sealed instanceof Promise ? sealed.then(ask) : ask(sealed)
    return 'ended' in record ? asked.finally(() => opened.forget(storeKey)) : asked
  }

  async set(keys: Keys, record: Tombstone): Promise<void> {
    const bytes = await this.#seal(keys, record)
    await this.ask('set', () => this.services.store.set(keys.storeKey, bytes, this.ttlOf(record)))
    this.services.opened.forget(keys.storeKey)
  }

  /** Not waited for: the record's token never left the process, so one that stays is known to nobody and runs out. */
  discard(storeKey: string): void {
    this.services.opened.forget(storeKey)
    void this.services.store.delete(storeKey).catch(() => {})
  }

  /** Whole seconds: the idle timeout or what is left of the absolute one. */
  ttlOf(record: LiveRecord | Tombstone): number {
    if ('ended' in record) return TOMBSTONE_TTL_SECONDS
    const { idleTimeout: managers, now } = this.services
    const { idleTimeout = managers, deadline } = record
    const left = secondsUntil(deadline, now())
    return idleTimeout === false ? left : Math.min(idleTimeout, left)
  }

  report(type: SessionEventType, reason?: EndReason): void {
    this.hasTold = true
    const cost = { durationMs: BUDGET_MS - this.timeLeft(), roundTrips: this.#roundTrips }
    this.services.emit(type, reason ? { reason, ...cost } : cost)
  }

  /** Counts an operation of the store, bounds its time, and tells of its failure, unless its server is known to be down. */
  ask<Result>(operation: string, run: () => Promise<Result>): Promise<Result> {
    this.#roundTrips++
    const timeLeft = this.timeLeft()
    const failure = (cause: unknown) => {
      const error = unavailable(operation, cause)
      if (!isOfServerDown(error, this.services.store)) this.services.emit('store-error', { error })
      return error
    }
    if (timeLeft <= 0) return Promise.reject(failure(new Error('no time is left to ask')))
    return within(timeLeft, run, failure)
  }

  #seal(keys: Keys, record: LiveRecord | Tombstone): Eventually<Uint8Array> {
    const { keyring, opened, store } = this.services
    const { maxBytes = Infinity } = store
    const text = encodeRecord(record)
    keys.recordKey ??= opened.keyOf(keys.storeKey)
    return after(keyring.seal(keys, text), (bytes) => {
      if (bytes.length > maxBytes) {
        throw new SessionDataError(
          'ERR_SESSION_TOO_LARGE',
          `expected at most ${maxBytes} bytes, got ${bytes.length}; ${largestKeys(record)}`,
        )
      }
      if (!('ended' in record)) opened.remember(keys.storeKey, bytes, text, keys.recordKey)
      return bytes
    })
  }
}

/** What an operation of the store failed with; an error of ours is left as it is. */
export function unavailable(operation: string, cause: unknown): SessionError {
  return cause instanceof SessionError ? cause : new StoreUnavailableError(operation, cause)
}

/** It was told when the server went down, by a store that tells such things (K3). */
function isOfServerDown(error: SessionError, store: SessionStore): boolean {
  // The error of another copy's store is wrapped once more.
  const causes = [error.cause, (error.cause as Error | undefined)?.cause] as (
    | { code?: unknown }
    | undefined
  )[]
  return store.watch !== undefined && causes.some((cause) => cause?.code === 'ERR_BREAKER_OPEN')
}

/** For a write whose failure is an outcome: it may have been made. */
export function asUnanswered(error: unknown): { outcome: 'unanswered'; error: StoreUnavailableError } {
  if (error instanceof StoreUnavailableError) return { outcome: 'unanswered', error }
  throw error
}

/** A tombstone is believed for 30 s from its time stamp (E6); reads may keep it longer. */
const TOMBSTONE_TTL_SECONDS = 60

function largestKeys(record: LiveRecord | Tombstone): string {
  if ('ended' in record) return 'a tombstone'
  return [...record.texts]
    .toSorted(([, left], [, right]) => right.length - left.length)
    .slice(0, 3)
    .map(([key, text]) => `${shownKey(key)}: ${text.length} characters`)
    .join(', ')
}
