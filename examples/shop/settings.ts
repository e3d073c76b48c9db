import { createSessionManager, MemoryStore, type SessionManager } from 'holdfast'
import { MemcachedStore } from 'holdfast/memcached'
import { memcachedCache, memoryCache, type ObjectCache } from './object-cache.ts'
import { recordEvent, recordingStore } from './recording-store.ts'

/** What a session of the shop holds. */
export type Data = {
  cart: Record<string, number>
  views: number
  notice: string
}

export interface Settings {
  manager: SessionManager<Data>
  cache: ObjectCache
  /** Where the two live, in words. */
  places: { sessions: string; objects: string }
  /** What the start-up log has to add. */
  notes: string[]
}

/** Reads SESSION_STORE, CACHE_STORE and SESSION_SECRET. */
export function readSettings(env: Record<string, string | undefined> = process.env): Settings {
  const { SESSION_STORE: sessions, CACHE_STORE: objects, SESSION_SECRET: secret } = env
  return {
    manager: createSessionManager<Data>({
      store: recordingStore(sessions ? new MemcachedStore(sessions) : new MemoryStore()),
      // A bare MemoryStore would draw one by itself; this store is a wrapped one.
      secret: secret || crypto.getRandomValues(new Uint8Array(32)),
      // The cookie ends with the browser, unless "Keep me signed in" says otherwise.
      persistent: false,
      onEvent: recordEvent,
      // Chromium and Firefox keep the Secure cookies of http://localhost. Safari does not: to develop with it, and for
      // nothing else, add cookie: { secure: false }.
    }),
    cache: objects ? memcachedCache(objects) : memoryCache(),
    places: {
      sessions: withoutPassword(sessions) ?? 'MemoryStore, in this process',
      objects: withoutPassword(objects) ?? 'a Map, in this process',
    },
    notes: [
      sessions ? '' : 'sessions end with this process; SESSION_STORE=memcached://127.0.0.1:11200 keeps them',
      secret ? '' : 'SESSION_SECRET is unset and was drawn at random: a restart signs everybody out',
    ].filter(Boolean),
  }
}

/** Places are shown on the page. */
function withoutPassword(address: string | undefined): string | undefined {
  return address?.replace(/\/\/.*@/, '//') || undefined
}

/** What is worth knowing when a server has started. */
export function describeStart(name: string, port: number, { places, notes }: Start): string {
  return [
    `${name}: http://localhost:${port}`,
    ...Object.entries(places).map(([what, place]) => `  ${what}: ${place}`),
    ...notes.map((note) => `  note: ${note}`),
  ].join('\n')
}

interface Start {
  places: Record<string, string>
  notes: string[]
}
