import { setTimeout } from 'node:timers/promises'
import { MemoryStore, type SessionStore, type StoredRecord, type Version } from '../../src/core/index.ts'
import type { BrokenStore } from './broken-stores.ts'
import { aroundWrites, noting } from './store-variations.ts'

const APPLES = '6 bytes (61 70 70 6c 65 73)'
const PEARS = '5 bytes (70 65 61 72 73)'
const AT_ONCE = 'what one store wrote, another finds at once, whatever it read before: expected'
const HIDDEN = `${AT_ONCE} get without a time to live to find ${PEARS} after add by another store after a read, got nothing`
const UNSEEN = `${AT_ONCE} get to find ${PEARS} after add by another store after a read, got nothing`
const OVERTAKEN = 'a read that another store overtakes with a write brings back nothing old: expected'
const ADD = 'an add is refused by what another store added, and not by what it deleted: expected'
const VERSION = 'a version is as good, and as stale, through another store: expected'
const MEETING = 'operations that meet through two stores do as through one: expected'
const TIME = 'a get through one store restarts the time to live for another: expected'

/** Stores that keep the contract as long as nobody else is on their data. */
export const staleStores: BrokenStore[] = [
  {
    does: 'keeps what it read until it writes itself',
    breaks: (data, now) => cached(data, now),
    messages: [HIDDEN],
  },
  {
    does: 'keeps what it read for a second',
    breaks: (data, now) => cached(data, now, { keepMs: 1000 }),
    messages: [HIDDEN],
  },
  {
    does: 'forgets at every write what it read, and not what it is reading',
    breaks: (data, now) => cached(data, now, { hears: true, readMs: 2 }),
    messages: [
      `${OVERTAKEN} get without a time to live to find ${PEARS} after add by another store beside a read, got nothing`,
    ],
  },
  {
    does: 'restarts the time to live of what it keeps, and of nothing else',
    breaks: (data, now) => cached(data, now, { renews: false }),
    messages: [
      `${TIME} get to find ${APPLES} 3 seconds after an add for 2 and a get for 100 by another store, got nothing`,
    ],
  },
  {
    does: 'lets a read share the answer of one that is under way',
    breaks(data) {
      const underWay = new Map<string, Promise<StoredRecord | undefined>>()
      const forget = (key: string) => {
        for (const each of underWay.keys()) if (each.startsWith(key)) underWay.delete(each)
      }
      const read = async (key: string, ttl: number | undefined) => {
        const record = await data.get(key, ttl)
        await setTimeout(2)
        return record
      }
      return {
        ...aroundWrites(data, async (key, write) => {
          forget(key)
          const came = await write()
          forget(key)
          return came
        }),
        async get(key, ttl) {
          const name = `${key} ${ttl}`
          const reading = underWay.get(name) ?? read(key, ttl)
          underWay.set(name, reading)
          try {
            const record = await reading
            return record && { ...record, bytes: record.bytes.slice() }
          } finally {
            if (underWay.get(name) === reading) underWay.delete(name)
          }
        },
      }
    },
    messages: [`${OVERTAKEN} get to find ${PEARS} after add by another store beside a read, got nothing`],
  },
  {
    does: 'acknowledges what it is still to write',
    breaks(data, now) {
      const own = new MemoryStore({ now })
      const known = new Set<string>()
      const later = (key: string, write: () => Promise<unknown>) => {
        known.add(key)
        void setTimeout(5).then(write)
      }
      return {
        ...noting(own, (key, ttl, _version, bytes) => later(key, () => data.set(key, bytes, ttl))),
        async get(key, ttl) {
          const record = await own.get(key, ttl)
          return known.has(key) ? record : data.get(key, ttl)
        },
        async delete(key) {
          await own.delete(key)
          later(key, () => data.delete(key))
        },
      }
    },
    messages: [UNSEEN],
  },
  {
    does: 'reads what others wrote from a copy that follows a second later',
    breaks(data) {
      const own = new Set<string>()
      const changes = sharedBy(data).changes
      return {
        ...aroundWrites(data, async (key, write) => {
          own.add(key)
          const before = data.get(key, undefined)
          const came = await write()
          changes.set(key, { before: await before, at: performance.now() })
          return came
        }),
        async get(key, ttl) {
          const record = await data.get(key, ttl)
          const change = own.has(key) ? undefined : changes.get(key)
          return change && performance.now() - change.at < 1000 ? change.before : record
        },
      }
    },
    messages: [UNSEEN],
  },
  {
    does: 'takes a key for free that it found so',
    breaks(data) {
      const free = new Set<string>()
      return {
        async get(key, ttl) {
          const record = await data.get(key, ttl)
          if (!record) free.add(key)
          return record
        },
        async add(key, bytes, ttl) {
          if (!free.delete(key)) return data.add(key, bytes, ttl)
          await data.set(key, bytes, ttl)
          return (await data.get(key, undefined))?.version
        },
      }
    },
    messages: [`${ADD} undefined from add where another store added, got a version`],
  },
  {
    does: 'gives versions that nobody else knows',
    breaks(data) {
      const versions = new WeakMap<object, Version>()
      const given = (version: Version) => {
        const own = {}
        versions.set(own, version)
        return own
      }
      return {
        async get(key, ttl) {
          const record = await data.get(key, ttl)
          return record && { ...record, version: given(record.version) }
        },
        async add(key, bytes, ttl) {
          const version = await data.add(key, bytes, ttl)
          return version === undefined ? undefined : given(version)
        },
        async replace(key, bytes, ttl, version) {
          const came = await data.replace(key, bytes, ttl, versions.get(version as object))
          return came.outcome === 'replaced' ? { ...came, version: given(came.version) } : came
        },
      }
    },
    messages: [`${VERSION} replace to succeed at the version of add, got 'conflict'`],
  },
  {
    does: 'compares with what it wrote itself, if it did',
    breaks(data, now) {
      const written = new Map<string, { version: Version; until: number }>()
      const note = (key: string, ttl: number, version: Version) =>
        written.set(key, { version, until: now() + ttl * 1000 })
      return {
        ...noting(data, note),
        async get(key, ttl) {
          const record = await data.get(key, ttl)
          const own = written.get(key)
          if (own && ttl !== undefined) own.until = now() + ttl * 1000
          return record
        },
        async replace(key, bytes, ttl, version) {
          const own = written.get(key)
          written.delete(key)
          if (own?.version !== version || own!.until <= now()) return data.replace(key, bytes, ttl, version)
          const [, record] = await Promise.all([data.set(key, bytes, ttl), data.get(key, undefined)])
          note(key, ttl, record?.version)
          return { outcome: 'replaced', version: record?.version }
        },
        async set(key, bytes, ttl) {
          written.delete(key)
          await data.set(key, bytes, ttl)
        },
        async delete(key) {
          written.delete(key)
          await data.delete(key)
        },
      }
    },
    messages: [`${VERSION} replace to be 'conflict' after a replace, got 'replaced'`],
  },
  {
    does: 'looks and then writes, under a lock of its own',
    breaks(data) {
      let last: Promise<unknown> = Promise.resolve()
      const locked = <Result>(operate: () => Promise<Result>): Promise<Result> => {
        const result = last.then(operate)
        last = result.catch(() => {})
        return result
      }
      const write = async (key: string, bytes: Uint8Array, ttl: number) => {
        await data.set(key, bytes, ttl)
        return (await data.get(key, undefined))?.version
      }
      return {
        async add(key, given, ttl) {
          const bytes = given.slice()
          return locked(async () => ((await data.get(key, undefined)) ? undefined : write(key, bytes, ttl)))
        },
        async replace(key, given, ttl, version) {
          const bytes = given.slice()
          return locked(async () => {
            const record = await data.get(key, undefined)
            if (!record) return { outcome: 'missing' }
            if (record.version !== version) return { outcome: 'conflict' }
            return { outcome: 'replaced', version: await write(key, bytes, ttl) }
          })
        },
        async set(key, given, ttl) {
          const bytes = given.slice()
          return locked(() => data.set(key, bytes, ttl))
        },
        delete: (key) => locked(() => data.delete(key)),
      }
    },
    messages: [`${MEETING} one of 20 adds to write, got 2`],
  },
]

interface Cached {
  record: StoredRecord | undefined
  until: number
}

/** Keeps what it read; its own writes it never hides from itself. */
function cached(
  data: MemoryStore,
  now: () => number,
  { keepMs = Infinity, readMs = 0, hears = false, renews = true } = {},
): Partial<SessionStore> {
  const kept = new Map<string, Cached>()
  const writes = new Map<string, number>()
  const { listeners } = sharedBy(data)
  if (hears) listeners.add((key) => kept.delete(key))
  const write = (key: string) => {
    kept.delete(key)
    writes.set(key, (writes.get(key) ?? 0) + 1)
  }
  const until = (ttl: number) => now() + Math.min(keepMs, ttl * 1000)
  const copied = (record: StoredRecord | undefined) => record && { ...record, bytes: record.bytes.slice() }
  return {
    ...aroundWrites(data, async (key, operate) => {
      write(key)
      const came = await operate()
      write(key)
      for (const hear of listeners) hear(key)
      return came
    }),
    async get(key, ttl) {
      const found = kept.get(key)
      if (found && found.until > now()) {
        if (ttl !== undefined && renews) await data.get(key, ttl)
        if (ttl !== undefined) found.until = until(ttl)
        return copied(found.record)
      }
      const before = writes.get(key)
      const record = await data.get(key, ttl)
      if (readMs > 0) await setTimeout(readMs)
      // Without a time to live it would have to ask when the record runs out.
      const isKept = writes.get(key) === before && (ttl !== undefined || !record)
      if (isKept) kept.set(key, { record: copied(record), until: until(record ? ttl! : Infinity) })
      return record
    },
  }
}

interface Shared {
  /** Who hears of every write. */
  listeners: Set<(key: string) => unknown>
  /** What was there before the last write of a key, and when that was. */
  changes: Map<string, { before: StoredRecord | undefined; at: number }>
}

const shared = new WeakMap<MemoryStore, Shared>()

function sharedBy(data: MemoryStore): Shared {
  const found = shared.get(data) ?? { listeners: new Set(), changes: new Map() }
  shared.set(data, found)
  return found
}
