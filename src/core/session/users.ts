import { base64url } from '../crypto/base64url.ts'
import type { MarkKeys } from '../crypto/keyring.ts'
import { randomBytes } from '../crypto/random.ts'
import { StoreUnavailableError } from '../errors.ts'
import type { EndReason } from '../events.ts'
import { byLastUse, hasRunOut, markWith, SEEN_STEP_MS, type MarkEntry } from '../record/mark.ts'
import type { MarkChange } from '../record/mark-changes.ts'
import { readMark, writeMark } from '../record/mark-io.ts'
import { RecordIO } from '../record/record-io.ts'
import type { LiveRecord, SignedIn } from '../record/record.ts'

const ENTRY_ID_BYTES = 16
/** Kept back from the changes of a mark, for the rest of a sign-in. */
const REST_OF_SIGN_IN_MS = 250

/** One of a user's sessions, for a list of his devices. Times are milliseconds since the epoch. */
export interface UserSession {
  /** Good for nothing but `manager.revoke`. */
  id: string
  /** As it was given to `signIn`. */
  label: string | undefined
  signedInAt: number
  /** To ten minutes. */
  lastSeenAt: number
  /** Whether it is the session that `current` named. */
  isCurrent: boolean
}

export function generateEntryId(): string {
  return base64url(randomBytes(ENTRY_ID_BYTES))
}

/**
 * Why a user's session lives no longer, if it does not: one is live only while its entry is listed (E9). It is seen by
 * this if that `renews` it, which is written down every ten minutes.
 */
export async function whyUnlisted(
  io: RecordIO,
  { entryId, mark: keys }: SignedIn,
  renews: boolean = true,
): Promise<EndReason | undefined> {
  // No revocation reaches a mark of a secret that is no longer listed.
  if (!(await io.services.keyring.lists(keys.keyId))) return 'mark-lost'
  const found = await readMark(io, keys)
  if (!found.mark) return 'mark-lost'
  const { entries } = found.mark
  const entry = entries.find(({ id }) => id === entryId)
  if (!entry) return 'revoked'
  const now = io.services.now()
  if (renews && now - entry.lastSeenAt >= SEEN_STEP_MS) {
    const seen = { ...entry, lastSeenAt: now }
    const changed = entries.map((each) => (each === entry ? seen : each))
    // A courtesy to the list: one that fails is tried again by the next load.
    await writeMark(io, keys, markWith(changed, found.mark, now), found).catch(() => {})
  }
  return undefined
}

/** Lists a session that begins; its entry has another id where the reply to the first was lost. Says how many there are. */
export async function enlist(
  io: RecordIO,
  signedIn: SignedIn,
  entry: Omit<MarkEntry, 'id'>,
): Promise<{ entryId: string; listed: number }> {
  let { entryId } = signedIn
  let listed = 0
  const tried = new Set([entryId])
  const add = (entries: readonly MarkEntry[], isInDoubt: boolean) => {
    const there = entries.find(({ id }) => tried.has(id))
    listed = entries.length + (there ? 0 : 1)
    if (there) {
      entryId = there.id
      return undefined
    }
    // It may have been listed and revoked since: a revoked id never comes back.
    if (isInDoubt) tried.add((entryId = generateEntryId()))
    return [...entries, { id: entryId, ...entry }]
  }
  try {
    await io.services.markChanges.make(io, signedIn.mark, add, REST_OF_SIGN_IN_MS)
  } catch (error) {
    // Its reply may be what was lost. Not waited for: the store does not answer.
    const rest = new RecordIO(io.services)
    void told(
      rest,
      removeFrom(rest, [signedIn.mark], (id) => tried.has(id)),
    )
    throw error
  }
  return { entryId, listed }
}

/** When a session's entry runs out. */
type EntryTimes = Pick<MarkEntry, 'idle' | 'until'>

/**
 * Tells a session's entry of timeouts that its record is yet to have: only what they prolong, since that may still fail,
 * and no session may live longer than its entry (E10). Gives the entry; `undefined` when it is not listed.
 */
export async function announce(
  io: RecordIO,
  signedIn: SignedIn,
  { idle, until }: EntryTimes,
  seen?: Partial<MarkEntry>,
): Promise<MarkEntry | undefined> {
  return changeEntry(io, signedIn, (entry) => ({
    ...entry,
    ...seen,
    idle: entry.idle === false || idle === false ? false : Math.max(entry.idle, idle),
    until: Math.max(entry.until, until),
  }))
}

/** Tells the entry that was announced what became of it, where the record says less. */
export async function tellExactly(
  io: RecordIO,
  { idle, until }: MarkEntry,
  { signedIn, ...record }: LiveRecord,
): Promise<void> {
  const times = entryOf(io, record)
  if (!signedIn || (idle === times.idle && until === times.until)) return
  const change = changeEntry(io, signedIn, (entry) => ({ ...entry, ...times }))
  await told(io, change)
}

async function changeEntry(
  io: RecordIO,
  { entryId, mark }: SignedIn,
  change: (entry: MarkEntry) => MarkEntry,
): Promise<MarkEntry | undefined> {
  let changed: MarkEntry | undefined
  const changeAll = (entries: readonly MarkEntry[]) => {
    const before = entries.find(({ id }) => id === entryId)
    changed = before && change(before)
    if (!before || !changed || isSame(changed, before)) return undefined
    return entries.map((each) => (each === before ? changed! : each))
  }
  await io.services.markChanges.make(io, mark, changeAll, REST_OF_SIGN_IN_MS)
  return changed
}

/** Takes a session off the list that was ended, or that could not begin. A failure of that is told, not thrown. */
export function delist(io: RecordIO, { entryId, mark }: SignedIn): Promise<void> {
  return told(
    io,
    removeFrom(io, [mark], (id) => id === entryId),
  )
}

/**
 * Ends the sessions that were not seen longest while more are listed than may be, never the one that just began.
 * `listed` is how many its own mark held then.
 */
export function makeRoom(io: RecordIO, { userId, entryId }: SignedIn, listed: number): Promise<void> {
  const { keyring, maxSessionsPerUser, now } = io.services
  const work = async () => {
    const marks = await keyring.markKeys(userId)
    if (marks.length === 1 && listed <= maxSessionsPerUser) return
    const [own = [], ...older] = await readLists(io, marks)
    // Who signed in after it makes room for himself, or is taken back: of two clicks one is.
    const at = own.findIndex(({ id }) => id === entryId)
    // Pushed out meanwhile, it pushes nobody out.
    if (at < 0) return
    const others = [...own.slice(0, at), ...older.flat()]
    const surplus = Math.max(0, others.length + 1 - maxSessionsPerUser)
    const oldest = others.toSorted(byLastUse(now())).slice(0, surplus)
    const ids = new Set(oldest.map(({ id }) => id))
    if (surplus > 0) await removeFrom(io, marks, (id) => ids.has(id))
  }
  return told(io, work())
}

/** What the session says of itself in its user's list. */
export function entryOf(
  io: RecordIO,
  { deadline, idleTimeout }: Pick<LiveRecord, 'deadline' | 'idleTimeout'>,
): EntryTimes {
  return { idle: idleTimeout ?? io.services.idleTimeout, until: deadline }
}

export async function listSessions(
  io: RecordIO,
  userId: string,
  current: string | undefined,
): Promise<UserSession[]> {
  const now = io.services.now()
  const lists = await readLists(io, await io.services.keyring.markKeys(userId))
  return lists
    .flat()
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

async function removeFrom(
  io: RecordIO,
  marks: readonly MarkKeys[],
  isMeant: (id: string) => boolean,
): Promise<void> {
  await Promise.all(marks.map((keys) => io.services.markChanges.make(io, keys, without(isMeant))))
}

function readLists(io: RecordIO, marks: readonly MarkKeys[]): Promise<(readonly MarkEntry[])[]> {
  return Promise.all(marks.map(async (keys) => (await readMark(io, keys)).mark?.entries ?? []))
}

function isSame(left: MarkEntry, right: MarkEntry): boolean {
  const names = Object.keys(left) as (keyof MarkEntry)[]
  return names.every((name) => left[name] === right[name])
}

function without(isMeant: (id: string) => boolean): MarkChange {
  return (entries) => {
    const rest = entries.filter(({ id }) => !isMeant(id))
    return rest.length < entries.length ? rest : undefined
  }
}

/** The store's failures were told when they came. */
async function told(io: RecordIO, work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) io.services.emit('store-error', { error })
  }
}
