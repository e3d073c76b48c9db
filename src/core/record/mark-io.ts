import type { MarkKeys } from '../crypto/keyring.ts'
import type { ReplaceOutcome, Version } from '../stores/store.ts'
import { decodeMark, encodeMark, keptUntil, type Mark } from './mark.ts'
import type { RecordIO } from './record-io.ts'
import { secondsUntil } from './record.ts'

/** A mark as it was read: none for one that is missing or cannot be understood, no version for one that is missing. */
export interface FoundMark {
  mark: Mark | undefined
  version: Version | undefined
}

/** Its time to live is left alone: it goes by what the mark lists. */
export async function readMark(io: RecordIO, keys: MarkKeys): Promise<FoundMark> {
  const { keyring } = io.services
  const found = await io.find(keys.storeKey, undefined, (bytes) => keyring.openMark(keys, bytes), decodeMark)
  return { mark: found?.value, version: found?.version }
}

/** Writes over what was found, or not at all. */
export async function writeMark(
  io: RecordIO,
  keys: MarkKeys,
  mark: Mark,
  { version }: FoundMark,
): Promise<ReplaceOutcome> {
  const { keyring, store, now } = io.services
  const bytes = await keyring.sealMark(keys, encodeMark(mark))
  const ttl = secondsUntil(keptUntil(mark), now())
  if (version !== undefined) {
    return io.ask('replace', () => store.replace(keys.storeKey, bytes, ttl, version))
  }
  const added = await io.ask('add', () => store.add(keys.storeKey, bytes, ttl))
  return added === undefined ? { outcome: 'conflict' } : { outcome: 'replaced', version: added }
}
