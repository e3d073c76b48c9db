import type { MemoryStore, SessionStore, Version } from '../../src/core/index.ts'

/** What the sound store does, with some argument changed. */
export function changing(
  sound: MemoryStore,
  change: {
    key?: (key: string) => string
    bytes?: (bytes: Uint8Array, key: string) => Uint8Array
    ttl?: (ttl: number) => number
  },
): Omit<SessionStore, 'maxUint8Array'> {
  const { key: ofKey = String, bytes: ofBytes = (bytes) => bytes, ttl: ofTtl = Number } = change
  return {
    get: async (key, ttl) => sound.get(ofKey(key), ttl === undefined ? ttl : ofTtl(ttl)),
    add: async (key, bytes, ttl) => sound.add(ofKey(key), ofBytes(bytes, key), ofTtl(ttl)),
    replace: async (key, bytes, ttl, version) =>
      sound.replace(ofKey(key), ofBytes(bytes, key), ofTtl(ttl), version),
    set: async (key, bytes, ttl) => sound.set(ofKey(key), ofBytes(bytes, key), ofTtl(ttl)),
    delete: async (key) => sound.delete(ofKey(key)),
  }
}

/** Tells of every write that was carried out. */
export function noting(
  sound: MemoryStore,
  note: (key: string, ttl: number, version: Version, bytes: Uint8Array) => unknown,
) {
  return {
    async add(key, bytes, ttl) {
      const version = await sound.add(key, bytes, ttl)
      if (version !== undefined) note(key, ttl, version, bytes)
      return version
    },
    async replace(key, bytes, ttl, version) {
      const came = await sound.replace(key, bytes, ttl, version)
      if (came.outcome === 'replaced') note(key, ttl, came.version, bytes)
      return came
    },
    async set(key, bytes, ttl) {
      await sound.set(key, bytes, ttl)
      note(key, ttl, (await sound.get(key, ttl))?.version, bytes)
    },
  } satisfies Partial<SessionStore>
}

/** A get that sets the end which `endOf` says, in milliseconds since the epoch. */
export function timing(
  sound: MemoryStore,
  now: () => number,
  endOf: (ttl: number, written: { at: number; ttl: number }) => number,
): Partial<SessionStore> {
  const writes = new Map<string, { at: number; ttl: number }>()
  return {
    ...noting(sound, (key, ttl) => writes.set(key, { at: now(), ttl })),
    async get(key, ttl) {
      const written = writes.get(key)
      if (!written || ttl === undefined) return sound.get(key, ttl)
      const end = endOf(ttl, written)
      const record = await sound.get(key, secondsUntil(end, now))
      if (end <= now()) await sound.delete(key)
      return record
    },
  }
}

export function secondsUntil(end: number = 0, now: () => number): number {
  return Math.max(1, Math.ceil((end - now()) / 1000))
}

/** Versions that count the writes of a record, from 1. */
export function countingVersions(sound: MemoryStore): Partial<SessionStore> {
  const records = new Map<string, { count: number; version: Version }>()
  const counted = (key: string, version: Version, count = 1) => {
    records.set(key, { count, version })
    return count
  }
  return {
    async get(key, ttl) {
      const record = await sound.get(key, ttl)
      return record && { ...record, version: records.get(key)!.count }
    },
    async add(key, bytes, ttl) {
      const version = await sound.add(key, bytes, ttl)
      return version === undefined ? undefined : counted(key, version)
    },
    async replace(key, bytes, ttl, version) {
      const record = records.get(key)
      const isCurrent = record?.count === version
      const came = await sound.replace(key, bytes, ttl, isCurrent ? record?.version : undefined)
      if (came.outcome !== 'replaced') return came
      return { ...came, version: counted(key, came.version, record!.count + 1) }
    },
    async set(key, bytes, ttl) {
      await sound.set(key, bytes, ttl)
      counted(key, (await sound.get(key, ttl))?.version, (records.get(key)?.count ?? 0) + 1)
    },
    async delete(key) {
      await sound.delete(key)
      records.delete(key)
    },
  }
}

/** What the sound store does, with something around every write. */
export function aroundWrites(
  sound: MemoryStore,
  around: <Result>(key: string, write: () => Promise<Result>) => Promise<Result>,
) {
  return {
    add: (key, bytes, ttl) => around(key, () => sound.add(key, bytes, ttl)),
    replace: (key, bytes, ttl, version) => around(key, () => sound.replace(key, bytes, ttl, version)),
    set: (key, bytes, ttl) => around(key, () => sound.set(key, bytes, ttl)),
    delete: (key) => around(key, () => sound.delete(key)),
  } satisfies Partial<SessionStore>
}
