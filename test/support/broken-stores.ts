import type { MemoryStore, SessionStore, StoredRecord, Version } from '../../src/core/index.ts'
import { changing, countingVersions, noting, secondsUntil, timing } from './store-variations.ts'

/** A store that breaks the contract, and what it is told for that. */
export interface BrokenStore {
  /** What it does wrong. */
  does: string
  /** How it differs from the sound store that it stands on. */
  breaks(sound: MemoryStore, now: () => number): Partial<SessionStore>
  /** How the messages begin that name it. */
  messages: string[]
}

/** On the data of the sound store: stores that are opened on one share it. */
export function openBroken(broken: BrokenStore, sound: MemoryStore, now: () => number): SessionStore {
  return { ...changing(sound, {}), ...broken.breaks(sound, now) }
}

const APPLES = '6 bytes (61 70 70 6c 65 73)'
const PEARS = '5 bytes (70 65 61 72 73)'

export const brokenStores: BrokenStore[] = [
  {
    does: 'forgets',
    breaks: () => ({ get: async () => undefined }),
    messages: [
      `add writes a record, and get finds exactly its bytes: expected get to find ${APPLES} after add, got nothing`,
    ],
  },
  {
    does: 'makes up a record where there is none',
    breaks: (sound) => ({
      get: async (key, ttl) => (await sound.get(key, ttl)) ?? { bytes: new Uint8Array(), version: 0 },
    }),
    messages: [
      'get finds nothing where nothing was written: expected get to find nothing under a new key, got 0 bytes ()',
    ],
  },
  {
    does: 'answers null where there is nothing',
    breaks: (sound) => ({ get: async (key, ttl) => (await sound.get(key, ttl)) ?? (null as never) }),
    messages: [
      'get finds nothing where nothing was written: expected get to find nothing under a new key, got null',
    ],
  },
  {
    does: 'rejects a get without a time to live',
    breaks: (sound) => ({
      async get(key, ttl) {
        if (ttl === undefined) throw new TypeError('ttl: expected a number')
        return sound.get(key, ttl)
      },
    }),
    messages: [
      'get finds the same without a time to live: expected an answer, got a rejection: TypeError: ttl: expected a number',
    ],
  },
  {
    does: 'takes no time to live for one that has run out',
    breaks: (sound) => ({
      async get(key, ttl) {
        const record = await sound.get(key, ttl)
        if (ttl === undefined) await sound.delete(key)
        return record
      },
    }),
    messages: [
      `get finds the same without a time to live: expected get without a time to live to find ${APPLES} the second time, too, got nothing`,
    ],
  },
  {
    does: 'gives no version where it is asked without a time to live',
    breaks: (sound) => ({
      async get(key, ttl) {
        const record = await sound.get(key, ttl)
        return record && (ttl === undefined ? { ...record, version: undefined } : record)
      },
    }),
    messages: [
      'get finds the same without a time to live: expected get without a time to live to give a version, got none',
    ],
  },
  {
    does: 'adds where something is',
    breaks: (sound) => ({
      async add(key, bytes, ttl) {
        await sound.delete(key)
        return sound.add(key, bytes, ttl)
      },
    }),
    messages: [
      'add changes nothing where the key is taken: expected undefined from add where the key is taken, got a version',
    ],
  },
  {
    does: 'sets only where nothing is',
    breaks: (sound) => ({ set: async (...record) => void (await sound.add(...record)) }),
    messages: [
      `set writes, whether or not something is there: expected get to find ${PEARS} after set, got ${APPLES}`,
    ],
  },
  {
    does: 'deletes nothing',
    breaks: () => ({ async delete() {} }),
    messages: [`delete removes a record: expected get to find nothing after delete, got ${APPLES}`],
  },
  {
    does: 'complains when there is nothing to delete',
    breaks: (sound) => ({
      async delete(key) {
        if (!(await sound.get(key, 100))) throw new Error('no such record')
        await sound.delete(key)
      },
    }),
    messages: [
      'delete of a record that is missing succeeds: expected an answer, got a rejection: Error: no such record',
    ],
  },
  {
    does: 'keeps text',
    breaks: (sound) =>
      changing(sound, { bytes: (bytes) => new TextEncoder().encode(new TextDecoder().decode(bytes)) }),
    messages: [
      'every byte is kept: expected get to find 256 bytes (00 01 02 03 04 05 06 07 …) after add, got 512 bytes',
    ],
  },
  {
    does: 'takes an empty record for none',
    breaks: (sound) => ({
      async get(key, ttl) {
        const record = await sound.get(key, ttl)
        return record?.bytes.length ? record : undefined
      },
    }),
    messages: ['an empty record is a record: expected get to find 0 bytes () after add, got nothing'],
  },
  {
    does: 'cuts off what is large',
    breaks: (sound) => changing(sound, { bytes: (bytes) => bytes.subarray(0, 65_535) }),
    messages: ['a record as large as maxBytes is kept whole: expected get to find 100000 bytes'],
  },
  {
    does: 'takes more than maxBytes',
    breaks: () => ({ maxBytes: 1000 }),
    messages: [
      'a record over maxBytes is rejected, and nothing changes: expected add to reject what is larger than maxBytes, got an answer',
    ],
  },
  {
    does: 'loses the old record when a new one is too large, as memcached does (M6)',
    breaks: (sound) => ({
      maxBytes: 1000,
      ...changing(sound, {
        bytes(bytes, key) {
          if (bytes.length <= 1000) return bytes
          void sound.delete(key)
          throw new Error('too large')
        },
      }),
    }),
    messages: [
      `a record over maxBytes is rejected, and nothing changes: expected get to find ${APPLES} after writes that were too large, got nothing`,
    ],
  },
  {
    does: 'fails where its listener fails',
    breaks: () => ({
      watch: (listener) => listener({ type: 'server-up', server: 'here' }),
    }),
    messages: [
      'watch, where there is one, takes a listener and does no harm: expected an answer, got a rejection: Error: a listener that fails',
    ],
  },
  {
    does: 'keeps the very bytes of its caller',
    breaks(sound) {
      const given = new Map<Version, Uint8Array>()
      return {
        ...noting(sound, (_key, _ttl, version, bytes) => given.set(version, bytes)),
        async get(key, ttl) {
          const record = await sound.get(key, ttl)
          return record && { ...record, bytes: new Uint8Array(given.get(record.version)!) }
        },
      }
    },
    messages: [
      `bytes are copied in: expected get to find ${APPLES} although the caller used the bytes for something else once it had called add, got 6 bytes (00 00 00 00 00 00)`,
    ],
  },
  {
    does: 'copies the bytes once it has waited for something',
    breaks: (sound) => ({
      async set(key, bytes, ttl) {
        await undefined
        return sound.set(key, bytes, ttl)
      },
    }),
    messages: [
      `bytes are copied in: expected get to find ${APPLES} although the caller used the bytes for something else once it had called set, got 6 bytes (00 00 00 00 00 00)`,
    ],
  },
  {
    does: 'keeps the whole buffer behind the bytes',
    breaks: (sound) => changing(sound, { bytes: (bytes) => new Uint8Array(bytes.buffer) }),
    messages: [`bytes are copied in: expected get to find ${APPLES}`],
  },
  {
    does: 'hands out the very bytes that it keeps',
    breaks(sound) {
      const handedOut = new Map<Version, StoredRecord>()
      return {
        async get(key, ttl) {
          const record = await sound.get(key, ttl)
          if (record && !handedOut.has(record.version)) handedOut.set(record.version, record)
          return record && handedOut.get(record.version)
        },
      }
    },
    messages: [
      'bytes are copied out: expected two gets to give bytes of their own, got 6 bytes (00 00 00 00 00 00)',
    ],
  },
  {
    does: 'ignores the case of keys',
    breaks: (sound) => changing(sound, { key: (key) => key.toLowerCase() }),
    messages: [
      'keys are kept apart, whatever they differ in: expected add to write where nothing is, got undefined: the key is taken',
    ],
  },
  {
    does: 'cuts keys short',
    breaks: (sound) => changing(sound, { key: (key) => key.slice(0, 42) }),
    messages: [
      'keys are kept apart, whatever they differ in: expected add to write where nothing is, got undefined: the key is taken',
    ],
  },
  {
    does: 'gives versions that replace does not take',
    breaks: (sound) => ({ add: async (...record) => (await sound.add(...record)) && {} }),
    messages: [
      "replace writes at the version that add, replace or get gave: expected replace to succeed at the version of add, got 'conflict'",
    ],
  },
  {
    does: 'replaces blindly',
    breaks: (sound) => ({
      async replace(key, bytes, ttl) {
        const record = await sound.get(key, 1000)
        return sound.replace(key, bytes, ttl, record?.version)
      },
    }),
    messages: [
      "a replace in between makes it a conflict: expected replace to be 'conflict' after a replace, got 'replaced'",
    ],
  },
  {
    does: 'takes the same bytes for the same version',
    breaks: (sound) => ({
      async get(key, ttl) {
        const record = await sound.get(key, ttl)
        return record && { ...record, version: record.bytes.join() }
      },
      add: async (key, bytes, ttl) => (await sound.add(key, bytes, ttl)) && bytes.join(),
      async replace(key, bytes, ttl, version) {
        const record = await sound.get(key, 1000)
        const isSame = record?.bytes.join() === version
        const came = await sound.replace(key, bytes, ttl, isSame ? record?.version : undefined)
        return came.outcome === 'replaced' ? { ...came, version: bytes.join() } : came
      },
    }),
    messages: [
      "a replace in between makes it a conflict: expected replace to be 'conflict' although the bytes are what they were at that version, got 'replaced'",
    ],
  },
  {
    does: 'keeps the version at a set',
    breaks(sound) {
      const later = new Map<Version, Version>()
      return {
        async set(key, bytes, ttl) {
          const before = await sound.get(key, 1000)
          await sound.set(key, bytes, ttl)
          later.set(before?.version, (await sound.get(key, ttl))?.version)
        },
        replace: (key, bytes, ttl, version) => sound.replace(key, bytes, ttl, later.get(version) ?? version),
      }
    },
    messages: [
      "a set in between makes it a conflict: expected replace to be 'conflict' after a set, at the version of add, got 'replaced'",
    ],
  },
  {
    does: 'writes although it says conflict',
    breaks: (sound) => ({
      async replace(key, bytes, ttl, version) {
        const came = await sound.replace(key, bytes, ttl, version)
        if (came.outcome === 'conflict') await sound.set(key, bytes, ttl)
        return came
      },
    }),
    messages: [`a conflict changes nothing: expected get to find ${PEARS} after a conflict, got 7 bytes`],
  },
  {
    does: 'gives a new version with every get',
    breaks: (sound) => ({
      async get(key, ttl = 100) {
        const record = await sound.get(key, ttl)
        if (record) await sound.replace(key, record.bytes, ttl, record.version)
        return sound.get(key, ttl)
      },
    }),
    messages: [
      "a read in between makes no conflict: expected replace to succeed after a get, at the version of add, got 'conflict'",
    ],
  },
  {
    does: 'makes a missing record again at a replace',
    breaks: (sound) => ({
      async replace(key, bytes, ttl, version) {
        const came = await sound.replace(key, bytes, ttl, version)
        if (came.outcome !== 'missing') return came
        return { outcome: 'replaced', version: await sound.add(key, bytes, ttl) }
      },
    }),
    messages: [
      "replace of a missing record is missing, and makes nothing: expected replace to be 'missing' after delete, at the last version, got 'replaced'",
      "a record is gone once its time to live has run out: expected replace to be 'missing' after the time to live, got 'replaced'",
    ],
  },
  {
    does: 'makes a missing record again, although it says missing',
    breaks: (sound) => ({
      async replace(key, bytes, ttl, version) {
        const came = await sound.replace(key, bytes, ttl, version)
        if (came.outcome === 'missing') await sound.add(key, bytes, ttl)
        return came
      },
    }),
    messages: [
      "replace of a missing record is missing, and makes nothing: expected replace to be 'missing' after delete, at an older version, got 'conflict'",
    ],
  },
  {
    does: 'counts the versions of a key from 1 again',
    breaks: countingVersions,
    messages: [
      "a version from before a delete never matches again: expected replace to be 'conflict' after delete and add of the same bytes, got 'replaced'",
      "a record is gone once its time to live has run out: expected replace to be 'conflict' at a version of a record that ran out, got 'replaced'",
    ],
  },
  {
    does: 'lets records run out too early',
    breaks: (sound) => changing(sound, { ttl: (ttl) => (ttl === 3 ? 1 : ttl) }),
    messages: [
      `a record lasts as long as its time to live: expected get to find ${APPLES} 1 second after an add for 3, got nothing`,
    ],
  },
  {
    does: 'lets no record run out',
    breaks: (sound) => changing(sound, { ttl: (ttl) => ttl * 1e6 }),
    messages: [
      `a record is gone once its time to live has run out: expected get to find nothing 2 seconds after an add for 1, got ${APPLES}`,
    ],
  },
  {
    does: 'leaves the time to live alone at a get',
    breaks: (sound, now) => timing(sound, now, (_, written) => written.at + written.ttl * 1000),
    messages: [
      `get restarts the time to live: expected get to find ${APPLES} 3 seconds after an add for 2 and a get for 100, got nothing`,
    ],
  },
  {
    does: 'lengthens the time to live at a get, and never shortens it',
    breaks: (sound, now) =>
      timing(sound, now, (ttl, written) => Math.max(now() + ttl * 1000, written.at + written.ttl * 1000)),
    messages: [
      `get restarts the time to live: expected get to find nothing 3 seconds after an add for 100 and a get for 2, got ${APPLES}`,
    ],
  },
  {
    does: 'counts the time to live of a get from the write',
    breaks: (sound, now) => timing(sound, now, (ttl, written) => written.at + ttl * 1000),
    messages: [
      `get restarts the time to live: expected get to find ${APPLES} right after a get for 2, which counts from that get, got nothing`,
    ],
  },
  {
    does: 'restarts the time to live at a get without one, with one of its own',
    breaks: (sound) => ({ get: (key, ttl = 1000) => sound.get(key, ttl) }),
    messages: [
      `a get without a time to live leaves it alone: expected get without a time to live to find nothing 3 seconds after an add for 2, got ${APPLES}`,
    ],
  },
  {
    does: 'restarts the time to live at a get without one, with the last one',
    breaks(sound) {
      const last = new Map<string, number>()
      return {
        ...noting(sound, (key, ttl) => last.set(key, ttl)),
        async get(key, ttl = last.get(key) ?? 100) {
          last.set(key, ttl)
          return sound.get(key, ttl)
        },
      }
    },
    messages: [
      `a get without a time to live leaves it alone: expected get to find nothing 120 seconds after an add for 100 and 60 after a get without a time to live, got ${APPLES}`,
    ],
  },
  {
    does: 'goes back to the time to live of the write at a get without one',
    breaks(sound, now) {
      const ends = new Map<string, number>()
      return {
        ...noting(sound, (key, ttl) => ends.set(key, now() + ttl * 1000)),
        get: (key, ttl = secondsUntil(ends.get(key), now)) => sound.get(key, ttl),
      }
    },
    messages: [
      `a get without a time to live leaves it alone: expected get to find nothing 3 seconds after a get for 2 and another one without a time to live, got ${APPLES}`,
    ],
  },
  {
    does: 'finds what ran out where it is asked without a time to live',
    breaks(sound) {
      const kept = new Map<string, StoredRecord>()
      return {
        ...noting(sound, (key, _, version, bytes) => kept.set(key, { bytes: bytes.slice(), version })),
        get: async (key, ttl) => (ttl === undefined ? kept.get(key) : sound.get(key, ttl)),
      }
    },
    messages: [
      `a get without a time to live leaves it alone: expected get without a time to live to find nothing 3 seconds after an add for 2, got ${APPLES}`,
    ],
  },
  {
    does: 'keeps the time to live at a replace',
    breaks(sound, now) {
      const ends = new Map<string, number>()
      return {
        ...noting(sound, (key, ttl) => ends.set(key, now() + ttl * 1000)),
        replace: (key, bytes, _, version) =>
          sound.replace(key, bytes, secondsUntil(ends.get(key), now), version),
      }
    },
    messages: [
      `every write brings its own time to live: expected get to find ${PEARS} 3 seconds after a replace for 100 of a record added for 2, got nothing`,
    ],
  },
  {
    does: 'restarts the time to live at an add that comes too late',
    breaks: (sound) => ({
      async add(key, bytes, ttl) {
        const version = await sound.add(key, bytes, ttl)
        if (version === undefined) await sound.get(key, ttl)
        return version
      },
    }),
    messages: [
      `what writes nothing leaves the time to live alone: expected get to find nothing 3 seconds after an add for 2, although another add came too late, got ${APPLES}`,
    ],
  },
  {
    does: 'takes more than 30 days for a date in 1970, as memcached does (M7)',
    breaks: (sound) => ({
      async add(key, bytes, ttl) {
        const version = await sound.add(key, bytes, ttl)
        if (ttl > 30 * 86_400) await sound.delete(key)
        return version
      },
    }),
    messages: [
      `a time to live of 30 days and more is kept: expected get to find ${APPLES} after an add for 31 days, got nothing`,
    ],
  },
  {
    does: 'keeps a record for 100 days at most',
    breaks: (sound) => changing(sound, { ttl: (ttl) => Math.min(ttl, 100 * 86_400) }),
    messages: [
      `a time to live of 30 days and more is kept: expected get to find ${PEARS} 399 days after a get for 400, got nothing`,
    ],
  },
  {
    does: 'takes 0 for a time to live',
    breaks: (sound) => changing(sound, { ttl: (ttl) => (ttl === 0 ? 1000 : ttl) }),
    messages: [
      'a time to live that is no whole number above 0 is rejected, and nothing changes: expected get to reject a time to live of 0, got an answer',
    ],
  },
  {
    does: 'looks and then adds',
    breaks: (sound) => ({
      async add(key, bytes, ttl) {
        if (await sound.get(key, 1000)) return undefined
        await sound.set(key, bytes, ttl)
        return (await sound.get(key, ttl))?.version
      },
    }),
    messages: [
      'exactly one of many adds wins, and its bytes stand: expected one of 20 adds to write, got 20',
      'exactly one of many adds takes the key of a record that ran out: expected one of 20 adds to write, got 20',
    ],
  },
  {
    does: 'compares and then swaps',
    breaks: (sound) => ({
      async replace(key, bytes, ttl, version) {
        const record = await sound.get(key, 1000)
        if (!record) return { outcome: 'missing' }
        if (record.version !== version) return { outcome: 'conflict' }
        await sound.set(key, bytes, ttl)
        return { outcome: 'replaced', version: (await sound.get(key, ttl))?.version }
      },
    }),
    messages: [
      'exactly one of many replaces at one version wins, and its bytes stand: expected one of 20 replaces to write, got 20',
      'a counter that many raise at once, each until its replace succeeds, is exact: expected get to find 1 bytes (14) after 20 raised it by 1, got 1 bytes',
      "a delete and a replace that meet leave nothing: expected get to find nothing after a delete, whose replace beside it was 'replaced', got 5 bytes",
      `a set stands against the replaces that it meets: expected get to find ${PEARS} of the set, whose replace beside it was 'replaced', got ${APPLES}`,
    ],
  },
  {
    does: 'reads the bytes and then the version',
    breaks: (sound) => ({
      async get(key, ttl) {
        const record = await sound.get(key, ttl)
        return record && { ...record, version: (await sound.get(key, ttl))?.version }
      },
    }),
    messages: [
      'a counter that many raise at once, each until its replace succeeds, is exact: expected get to find 1 bytes (14) after 20 raised it by 1, got 1 bytes',
    ],
  },
  {
    does: 'reads the bytes and then the version where it is asked without a time to live',
    breaks: (sound) => ({
      async get(key, ttl) {
        const record = await sound.get(key, ttl)
        if (!record || ttl !== undefined) return record
        return { ...record, version: (await sound.get(key, ttl))?.version }
      },
    }),
    messages: [
      'a counter that many raise at once, each until its replace succeeds, is exact: expected get to find 1 bytes (14) after 20 raised it by 1, got 1 bytes',
    ],
  },
  {
    does: 'leaves the time to live alone by writing back what it read',
    breaks: (sound) => ({
      async get(key, ttl) {
        const record = await sound.get(key, ttl ?? 1000)
        if (record && ttl === undefined) await sound.set(key, record.bytes, 100)
        return record
      },
    }),
    messages: ['a get undoes none of the writes that it meets: expected '],
  },
  {
    does: 'restarts the time to live by writing back what it read',
    breaks: (sound) => ({
      async get(key, ttl = 100) {
        const record = await sound.get(key, ttl)
        if (record) await sound.set(key, record.bytes, ttl)
        return sound.get(key, ttl)
      },
    }),
    messages: [
      "a get undoes none of the writes that it meets: expected 'replaced' beside a get, got 'conflict'",
    ],
  },
  {
    does: 'adds again at a get what was deleted meanwhile',
    breaks: (sound) => ({
      async get(key, ttl = 100) {
        const record = await sound.get(key, ttl)
        if (record) await sound.add(key, record.bytes, ttl)
        return record
      },
    }),
    messages: [
      `a get undoes none of the writes that it meets: expected get to find nothing after a delete beside a get, got ${APPLES}`,
    ],
  },
  {
    does: 'writes in two pieces',
    breaks: (sound) => ({
      async set(key, bytes, ttl) {
        const before = (await sound.get(key, ttl))?.bytes ?? bytes
        const half = bytes.length / 2
        await sound.set(key, new Uint8Array([...bytes.subarray(0, half), ...before.subarray(half)]), ttl)
        await sound.set(key, bytes, ttl)
      },
    }),
    messages: [
      'a get beside writes finds what one of them wrote, never a mixture: expected get to find all that one write wrote, got 1000 bytes',
    ],
  },
]
