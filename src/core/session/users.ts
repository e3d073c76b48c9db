import type { MarkKeys } from '../crypto/keyring.ts'
import { byLastUse, hasRunOut, type MarkEntry } from '../record/mark.ts'
import { readMark } from '../record/mark-io.ts'
import type { RecordIO } from '../record/record-io.ts'
import type { SignedIn } from '../record/record.ts'
import { aside, removeFrom } from './entry.ts'

/** One of a user's sessions, for a list of his devices. Times are milliseconds since the epoch. */
export interface UserSession {
  /** Good for nothing but `manager.revoke`. */
  id: string
  /** As it was given to `signIn`. */
  label: string | undefined
  /** When its user signed in. */
  signedInAt: number
  /** When it was used last, to ten minutes. */
  lastSeenAt: number
  /** Whether it is the session that `current` named. */
  isCurrent: boolean
}

export async function listSessions(
  io: RecordIO,
  userId: string,
  current: string | undefined,
): Promise<UserSession[]> {
  const now = io.services.now()
  const entries = await entriesUnder(io, await io.services.keyring.markKeys(userId))
  return entries
    .filter((entry) => !hasRunOut(entry, now))
    .toSorted((left, right) => right.lastSeenAt - left.lastSeenAt || right.signedInAt - left.signedInAt)
    .map(({ id, label, signedInAt, lastSeenAt }) => ({
      id, label, signedInAt, lastSeenAt, isCurrent: id === current,
    })) // prettier-ignore
}

/** Ends those of the user's sessions that `isMeant`, under every listed secret. */
export async function revoke(io: RecordIO, userId: string, isMeant: (id: string) => boolean): Promise<void> {
  await removeFrom(io, await io.services.keyring.markKeys(userId), isMeant)
  io.report('revoked')
}

/**
 * Ends the sessions that were not seen longest while more are listed than may be, never the one that just began.
 * `listed` is how many its own mark held then.
 */
export function makeRoom(io: RecordIO, { userId, entryId, mark }: SignedIn, listed: number): Promise<void> {
  const { keyring, markChanges, maxSessionsPerUser, now } = io.services
  return aside(io, async (own) => {
    const [, ...olderMarks] = await keyring.markKeys(userId)
    if (olderMarks.length === 0 && listed <= maxSessionsPerUser) return
    const older = await entriesUnder(own, olderMarks)
    let ids = new Set<string>()
    await markChanges.make(own, mark, (entries) => {
      const at = entries.findIndex(({ id }) => id === entryId)
      // One that was itself pushed out meanwhile pushes nobody out.
      const others = at < 0 ? [] : [...listedBefore(entries, at), ...older]
      const surplus = Math.max(0, others.length + 1 - maxSessionsPerUser)
      const oldest = others.toSorted(byLastUse(now())).slice(0, surplus)
      ids = new Set(oldest.map(({ id }) => id))
      return surplus > 0 ? entries.filter(({ id }) => !ids.has(id)) : undefined
    })
    if (ids.size > 0) await removeFrom(own, olderMarks, (id) => ids.has(id))
  })
}

/** Who signed in later makes room for himself, and of two clicks over one session the other is taken back. */
function listedBefore(entries: readonly MarkEntry[], at: number): readonly MarkEntry[] {
  const { over } = entries[at]!
  return entries.slice(0, at).filter((each) => over === undefined || each.over !== over)
}

async function entriesUnder(io: RecordIO, marks: readonly MarkKeys[]): Promise<readonly MarkEntry[]> {
  const found = await Promise.all(marks.map((keys) => readMark(io, keys)))
  return found.flatMap((each) => each?.record?.entries ?? [])
}
