import { base64url, type ReplaceOutcome, type SessionStore, type Version } from '../core/index.ts'

/** What the contract promises, and what rejects when a store does not keep it. */
export type Clauses = Record<string, (trial: Trial) => Promise<void>>

/** A store, held to one clause. */
export interface Trial {
  store: SessionStore
  /** Another store on the same data. */
  openAnother(): Promise<SessionStore>
  /** The same trial of another store, with a key of its own. */
  of(store: SessionStore): Trial
  /** A key that nobody has used; {@link newKey} makes more. */
  key: string
  /** Lets whole seconds pass. */
  pass(seconds: number): Promise<void>
  /** Whether {@link pass} costs nothing, however long. */
  canSkipTime: boolean
  /** Fails unless it is kept; `expected` and `came` complete "expected …, got …". */
  expect(isKept: boolean, expected: string, came: string): void
  /** Adds where nothing is. */
  add(key: string, bytes?: Uint8Array, ttl?: number): Promise<Version>
  /** Replaces at a version that must be good. */
  replace(key: string, bytes: Uint8Array, version: Version, when: string): Promise<Version>
  /** Replaces where that must not succeed. */
  refuse(outcome: 'conflict' | 'missing', key: string, version: Version, when: string): Promise<void>
  /** Finds exactly these bytes, under a version that it returns. */
  find(key: string, bytes: Uint8Array, when: string, ttl?: number): Promise<Version>
  findNothing(key: string, when: string): Promise<void>
  /** Finds exactly these bytes without a time to live, under a version that it returns. */
  peek(key: string, bytes: Uint8Array, when: string): Promise<Version>
  peekNothing(key: string, when: string): Promise<void>
  /** Fails unless every one of them rejects. */
  reject(what: string, operations: Record<string, () => Promise<unknown>>): Promise<void>
}

/** What a clause fails with. */
export class ContractError extends Error {
  constructor(promise: string, expected: string, came: string, cause?: unknown) {
    super(`${promise}: expected ${expected}, got ${came}`, cause === undefined ? undefined : { cause })
    this.name = 'ContractError'
  }
}

export function putOnTrial(
  promise: string,
  store: SessionStore,
  advance: ((seconds: number) => unknown) | undefined,
  openAnother: () => Promise<SessionStore>,
): Trial {
  const expect: Trial['expect'] = (isKept, expected, came) => {
    if (!isKept) throw new ContractError(promise, expected, came)
  }
  const find = async (get: string, ttl: number | undefined, key: string, bytes: Uint8Array, when: string) => {
    const record = await store.get(key, ttl)
    expect(isSame(record?.bytes, bytes), `${get} to find ${show(bytes)} ${when}`, show(record?.bytes))
    expect(record?.version !== undefined, `${get} to give a version`, 'none')
    return record!.version
  }
  const findNothing = async (get: string, ttl: number | undefined, key: string, when: string) => {
    const record = await store.get(key, ttl)
    const came = record ? show(record.bytes) : String(record)
    expect(record === undefined, `${get} to find nothing ${when}`, came)
  }
  return {
    store,
    openAnother,
    of: (another) => putOnTrial(promise, another, advance, openAnother),
    key: newKey(),
    expect,
    canSkipTime: advance !== undefined,
    async pass(seconds) {
      // A timer may fire a little early, and a server's clock tick a little late.
      await (advance ? advance(seconds) : pause(seconds * 1000 + 100))
    },
    async add(key, bytes = apples(), ttl = TTL) {
      const version = await store.add(key, bytes, ttl)
      expect(version !== undefined, 'add to write where nothing is', 'undefined: the key is taken')
      return version
    },
    async replace(key, bytes, version, when) {
      const came = await store.replace(key, bytes, TTL, version)
      expect(came?.outcome === 'replaced', `replace to succeed ${when}`, outcomeOf(came))
      return (came as { version: Version }).version
    },
    async refuse(outcome, key, version, when) {
      // Bytes that it must leave no trace of.
      const came = await store.replace(key, bytesOf('refused'), TTL, version)
      expect(came?.outcome === outcome, `replace to be '${outcome}' ${when}`, outcomeOf(came))
    },
    find: (key, bytes, when, ttl = TTL) => find('get', ttl, key, bytes, when),
    findNothing: (key, when) => findNothing('get', TTL, key, when),
    peek: (key, bytes, when) => find(PEEK, undefined, key, bytes, when),
    peekNothing: (key, when) => findNothing(PEEK, undefined, key, when),
    async reject(what, operations) {
      for (const [name, operate] of Object.entries(operations)) {
        const [{ status }] = await Promise.allSettled([operate()])
        expect(status === 'rejected', `${name} to reject ${what}`, 'an answer')
      }
    },
  }
}

/** How many operations meet in a case about operations that meet. */
export const PARALLEL = 20

/** Calls it that many times at once, with 0, 1, 2 and so on. */
export function atOnce<Result>(operate: (index: number) => Promise<Result>): Promise<Result[]> {
  return Promise.all(Array.from({ length: PARALLEL }, (_, index) => operate(index)))
}

/** 32 bytes in base64url, as the manager's keys are. */
export function newKey(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)))
}

export const apples = (): Uint8Array => bytesOf('apples')
export const pears = (): Uint8Array => bytesOf('pears')

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Bytes for people: how many, and the first of them. */
export function show(bytes: unknown): string {
  if (bytes === undefined) return 'nothing'
  if (!isByteArray(bytes)) return `no Uint8Array, but ${Object.prototype.toString.call(bytes)}`
  const shown = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0'))
  return `${bytes.length} bytes (${shown.join(' ')}${bytes.length > 8 ? ' …' : ''})`
}

export function isSame(bytes: unknown, others: Uint8Array): boolean {
  return (
    isByteArray(bytes) && bytes.length === others.length && bytes.every((byte, at) => byte === others[at])
  )
}

/** Of any realm: some test runners have a `Uint8Array` of their own. */
function isByteArray(value: unknown): value is Uint8Array {
  return Object.prototype.toString.call(value) === '[object Uint8Array]'
}

const PEEK = 'get without a time to live'

/** Long enough that nothing runs out by itself. */
const TTL = 100

/** The timer as it was at import: where a test holds the clock, nobody moves it for this. */
const { setTimeout } = globalThis
export function pause(ms = 10): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function outcomeOf(came: ReplaceOutcome): string {
  return `'${String(came?.outcome)}'`
}
