import type { MarkKeys } from '../crypto/keyring.ts'
import type { ReplaceOutcome } from '../stores/store.ts'
import { decodeMark, encodeMark, keptUntil, type Mark } from './mark.ts'
import type { Found, RecordIO } from './record-io.ts'
import { secondsUntil } from './record.ts'

/** Its time to live is left alone: it goes by what the mark lists. */
export function readMark(io: RecordIO, keys: MarkKeys): Promise<Found<Mark> | undefined> {
  const { keyring } = io.services
  return io.find(keys.storeKey, undefined, (bytes) => keyring.openMark(keys, bytes), decodeMark)
}

/** Writes over what was found, or not at all. */
export async function writeMark(
  io: RecordIO,
  keys: MarkKeys,
  mark: Mark,
  found: Found<Mark> | undefined,
): Promise<ReplaceOutcome> {
  const { keyring, store, now } = io.services
  const bytes = await keyring.sealMark(keys, encodeMark(mark))
  const ttl = secondsUntil(keptUntil(mark), now())
  if (found) return io.ask('replace', () => store.replace(keys.storeKey, bytes, ttl, found.version))
  const added = await io.ask('add', () => store.add(keys.storeKey, bytes, ttl))
  return added === undefined ? { outcome: 'conflict' } : { outcome: 'replaced', version: added }
}
