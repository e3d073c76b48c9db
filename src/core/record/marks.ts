import { LONGEST_AGE_SECONDS } from '../check.ts'
import { base64url } from '../crypto/base64url.ts'
import type { MarkKeys } from '../crypto/keyring.ts'
import { StoreUnavailableError } from '../errors.ts'
import type { RecordIO } from './record-io.ts'
import type { LiveRecord, MarkReference } from './record.ts'

/** As long as any session may live; every load of a session renews it. */
const MARK_TTL_SECONDS = LONGEST_AGE_SECONDS
const EPOCH_BYTES = 16

/**
 * The session's tie to a user. A session of that user keeps the one it has: it may have been revoked since it was
 * loaded, and is not to come back. `isNew` is a sign-in under a new token, which begins with the mark as it stands, or
 * with a new one where there is none.
 */
export async function tieToUser(
  io: RecordIO,
  id: string,
  { mark }: Pick<LiveRecord, 'mark'>,
  isNew: boolean,
): Promise<MarkReference> {
  const { keyring, store } = io.services
  const marks = await keyring.markKeys(id)
  if (!isNew && mark && marks.some(({ storeKey }) => storeKey === mark.storeKey)) return mark
  const keys = marks[0]!
  const fresh = freshEpoch()
  for (let attempt = 0; attempt < 2; attempt++) {
    const found = await readMark(io, keys)
    if (found !== undefined) return { ...keys, epoch: base64url(found) }
    const bytes = await keyring.sealMark(keys, fresh)
    const version = await io.ask('add', () => store.add(keys.storeKey, bytes, MARK_TTL_SECONDS))
    if (version !== undefined) return { ...keys, epoch: base64url(fresh) }
  }
  throw new StoreUnavailableError('add', new Error("the user's mark is there and cannot be read"))
}

/**
 * Whether the user's sessions of this epoch still live. A mark that is lost ends them, and so does a secret that is
 * no longer listed, since no revocation reaches what it marked: nothing revives them.
 */
export async function isCurrent(io: RecordIO, mark: MarkReference): Promise<boolean> {
  if (!(await io.services.keyring.lists(mark.keyId))) return false
  const epoch = await readMark(io, mark)
  return epoch !== undefined && base64url(epoch) === mark.epoch
}

/** Ends every session of the user: they were tied to another epoch, under whichever secret. */
export async function revokeAll(io: RecordIO, id: string): Promise<void> {
  const fresh = freshEpoch()
  const { keyring, store } = io.services
  const marks = await keyring.markKeys(id)
  await Promise.all(
    marks.map(async (keys) => {
      const bytes = await keyring.sealMark(keys, fresh)
      await io.ask('set', () => store.set(keys.storeKey, bytes, MARK_TTL_SECONDS))
    }),
  )
}

async function readMark(io: RecordIO, keys: MarkKeys): Promise<Uint8Array | undefined> {
  const { keyring, store, emit } = io.services
  const stored = await io.ask('get', () => store.get(keys.storeKey, MARK_TTL_SECONDS))
  if (!stored) return undefined
  const epoch = await keyring.openMark(keys, stored.bytes)
  if (!epoch) emit('invalid')
  return epoch
}

function freshEpoch(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(EPOCH_BYTES))
}
