import { brandOf, MEMORY_STORE } from './brand.ts'
import { shownKey } from './check.ts'
import { isError } from './errors.ts'
import type { SessionEvent, SessionEventType } from './events.ts'
import type { SessionStore } from './stores/store.ts'

const PAUSE_MS = 60_000
const MOST_CAUSES = 3
/** What a foreign store's error may quote: a key, or what stands before the host in an address. */
const NOT_TO_BE_SAID = /[\w-]{43,}|(?<=\/\/)[^\s/]*(?=@)/g

/** What happened, and what to do about it: of no other event anything is said. */
const SENTENCES: Partial<Record<SessionEventType, (event: SessionEvent) => string>> = {
  'store-error': ({ error }) =>
    codeOf(error) === 'ERR_STORE_UNAVAILABLE'
      ? `${reasonOf(error)}; who needs his session meanwhile is answered 503`
      : `${codeOf(error) === 'ERR_SESSION_CONFLICT' ? "a list of a user's sessions was not brought up to date" : 'a store operation failed'}: ${reasonOf(error)}`,
  invalid: () =>
    "a session, or a user's list of them, could not be opened, and counts as none: is a secret missing on this server, or does somebody else write to the store?",
  'cookie-lost': () =>
    'a session cookie could not be sent or cleared, since the head of the response had left: sign in, sign out and begin sessions before it',
  'insecure-cookie': () =>
    'a Secure cookie was sent over plain http, where browsers drop it, so nobody can sign in: serve https, let the proxy that ends TLS send X-Forwarded-Proto, or set cookie: { secure: false }',
  'server-down': ({ server, error }) =>
    `the store's server ${server} is down (${reasonOf(error)}): sessions on it are answered 503 until it answers`,
  'server-up': ({ server }) => `the store's server ${server} answers again`,
  'server-restarted': ({ server }) =>
    `the store's server ${server} was restarted and has lost its sessions: who had one there has to sign in again`,
  'server-flushed': ({ server }) =>
    `the store's server ${server} was flushed: who had a session there has to sign in again; find who did it, and give sessions an instance of their own`,
  'server-evicting': ({ server, count, since }) =>
    `the store's server ${server} is full and has forgotten ${count} ${count === 1 ? 'record' : 'records'} since ${since === undefined ? 'its start' : new Date(since).toISOString()}: who had one has to sign in again; give it more memory, or a MemoryStore a larger maxRecords`,
}

const MEMORY = 'MemoryStore'
/** Of each kind when it was said last, and how often it came since. */
const said = new Map<string, { at: number; unsaid: number }>()

/** Whether an operator must know, also one who asked for nothing (K2). */
export function isWarning(type: SessionEventType): boolean {
  return type in SENTENCES
}

/** The line of an event that is a warning. It holds nothing of a visitor. */
export function warningOf(event: SessionEvent): string {
  return `holdfast: ${SENTENCES[event.type]?.(event)}`
}

/** The `onEvent` of who gave none: each kind at most once a minute in this process, with a count of what went unsaid. */
export function warn(event: SessionEvent): void {
  if (isTest()) return
  const { type, server, at } = event
  const kind = `${type} ${server}`
  const last = said.get(kind)
  // Apart in either direction: another manager may have another clock.
  if (last && Math.abs(at - last.at) < PAUSE_MS && !isDownAgain(event, last.at)) {
    last.unsaid++
    return
  }
  said.set(kind, { at, unsaid: 0 })
  console.warn(warningOf(event) + (last?.unsaid ? ` (and ${last.unsaid} more like it before)` : ''))
}

/** The last word of a server that is down must not be that it answers; so down is said twice a minute at most. */
function isDownAgain({ type, server }: SessionEvent, downSaidAt: number): boolean {
  const up = said.get(`server-up ${server}`)
  return type === 'server-down' && up !== undefined && up.at >= downSaidAt
}

const watched = new WeakSet<SessionStore>()

/** Whether nobody says yet what this store tells: of managers that share one, the first does. */
export function isFirstToSay(store: SessionStore): boolean {
  if (watched.has(store)) return false
  watched.add(store)
  return true
}

/** Once a process, of sessions that live in its memory though others should know them, or though it matters. */
export function warnOfStore(store: SessionStore): void {
  const env = environment()
  if (!env || isTest() || said.has(MEMORY) || brandOf(store, MEMORY_STORE) === undefined) return
  if (env['NODE_ENV'] !== 'production' && !isWorker()) return
  said.set(MEMORY, { at: 0, unsaid: 0 })
  console.warn(
    `holdfast: sessions are kept in the memory of this process (MemoryStore): no other worker knows them, and a restart signs everybody out; give the manager a store, new MemcachedStore('memcached://127.0.0.1:11200')`,
  )
}

/** Asked late, since tests set it for themselves; and not by a name that bundlers put its value in place of. */
function environment(): NodeJS.ProcessEnv | undefined {
  const { process } = globalThis
  return process?.env
}

function isTest(): boolean {
  return environment()?.['NODE_ENV'] === 'test'
}

/** Of `node:cluster`, which leaves no trace in the environment, or of pm2. */
function isWorker(): boolean {
  const { process } = globalThis
  if (process?.env?.['NODE_APP_INSTANCE'] !== undefined) return true
  const cluster = process?.getBuiltinModule?.('node:cluster') as { isWorker?: boolean } | undefined
  return cluster?.isWorker === true
}

/** Of whatever copy of the package. */
function codeOf(error: unknown): unknown {
  return isError(error) ? (error as { code?: unknown }).code : undefined
}

/** The messages of an error and what caused it, on one line. */
function reasonOf(error: unknown): string {
  const messages: string[] = []
  for (let each = error; isError(each) && messages.length < MOST_CAUSES; each = each.cause) {
    // An AggregateError, as of a name with two addresses, has no message but a code.
    messages.push(each.message || String((each as { code?: unknown }).code ?? each.name))
  }
  return shownKey(messages.join(': ').replaceAll(NOT_TO_BE_SAID, '…')) || 'no reason was given'
}
