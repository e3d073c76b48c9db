import type { MarkKeys } from '../crypto/keyring.ts'
import { StoreUnavailableError } from '../errors.ts'
import type { EndReason } from '../events.ts'
import { generateEntryId, isBefore, markWith, SEEN_STEP_MS, type MarkEntry } from '../record/mark.ts'
import type { MarkChange } from '../record/mark-changes.ts'
import { readMark, writeMark } from '../record/mark-io.ts'
import { RecordIO } from '../record/record-io.ts'
import type { LiveRecord, SignedIn } from '../record/record.ts'
import { within } from '../stores/deadline.ts'

/** Kept back from the changes of a mark, for the rest of a sign-in. */
const REST_OF_SIGN_IN_MS = 250

/** A new session of the user's: entries are made under the first secret. */
export async function newEntry(io: RecordIO, userId: string): Promise<SignedIn> {
  const [mark] = await io.services.keyring.markKeys(userId)
  return { userId, entryId: generateEntryId(io.services.now()), mark: mark! }
}

/** When a session's entry runs out. */
export function timesOf(
  io: RecordIO,
  { deadline, idleTimeout }: Pick<LiveRecord, 'deadline' | 'idleTimeout'>,
): Pick<MarkEntry, 'idle' | 'until'> {
  return { idle: idleTimeout ?? io.services.idleTimeout, until: deadline }
}

/**
 * Why a user's session lives no longer, if it does not: one is live only while its entry is listed (E9). `seen` is its
 * record where this is use of it: every ten minutes that is written down, with the timeouts that it has by now.
 */
export async function whyUnlisted(
  io: RecordIO,
  { entryId, mark: keys }: SignedIn,
  seen?: LiveRecord,
): Promise<EndReason | undefined> {
  // No revocation reaches a mark of a secret that is no longer listed.
  if (!(await io.services.keyring.lists(keys.keyId))) return 'mark-lost'
  const found = await readMark(io, keys)
  if (!found?.record) return 'mark-lost'
  const { entries } = found.record
  const at = entries.findIndex(({ id }) => id === entryId)
  if (at < 0) return isBefore(found.record, entryId) ? 'mark-lost' : 'revoked'
  const entry = entries[at]!
  const now = io.services.now()
  if (seen && now - entry.lastSeenAt >= SEEN_STEP_MS) {
    const changed = { ...entry, ...timesOf(io, seen), lastSeenAt: now, over: undefined }
    // A courtesy to the list: one that fails is tried again by the next load.
    const mark = markWith(entries.with(at, changed), found.record, now)
    await writeMark(io, keys, mark, found).catch(() => {})
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
    if (isInDoubt) tried.add((entryId = generateEntryId(io.services.now())))
    return [...entries, { id: entryId, ...entry }]
  }
  try {
    await io.services.markChanges.make(io, signedIn.mark, add, REST_OF_SIGN_IN_MS)
  } catch (error) {
    await aside(io, (own) => removeFrom(own, [signedIn.mark], (id) => tried.has(id)))
    throw error
  }
  return { entryId, listed }
}

/**
 * Tells a session's entry of what its record is yet to have, of timeouts only what they prolong: that may still fail, and
 * no session may live longer than its entry (E10). Gives the entry; `undefined` when it is not listed.
 */
export async function announce(
  io: RecordIO,
  signedIn: SignedIn,
  terms: Pick<LiveRecord, 'deadline' | 'idleTimeout'>,
  seen?: Partial<MarkEntry>,
): Promise<MarkEntry | undefined> {
  const { idle, until } = timesOf(io, terms)
  const now = io.services.now()
  return changeEntry(io, signedIn, (entry) => ({
    ...entry,
    // A write is use, from which an idle timeout that it sets is counted.
    ...(now - entry.lastSeenAt >= SEEN_STEP_MS && { lastSeenAt: now }),
    ...seen,
    idle: entry.idle === false || idle === false ? false : Math.max(entry.idle, idle),
    until: Math.max(entry.until, until),
  }))
}

/** Tells the entry that was announced what came of it, where the record says less. What a race leaves of it heals by use. */
export async function tellExactly(io: RecordIO, announced: MarkEntry, record: LiveRecord): Promise<void> {
  const { signedIn } = record
  const times = timesOf(io, record)
  if (!signedIn || (announced.idle === times.idle && announced.until === times.until)) return
  await aside(io, async (own) => {
    await changeEntry(own, signedIn, (entry) => ({ ...entry, ...times }))
  })
}

async function changeEntry(
  io: RecordIO,
  { entryId, mark }: SignedIn,
  change: (entry: MarkEntry) => MarkEntry,
): Promise<MarkEntry | undefined> {
  let changed: MarkEntry | undefined
  const changeAll: MarkChange = (entries) => {
    const at = entries.findIndex(({ id }) => id === entryId)
    changed = at < 0 ? undefined : change(entries[at]!)
    return changed && !areSame(changed, entries[at]!) ? entries.with(at, changed) : undefined
  }
  await io.services.markChanges.make(io, mark, changeAll, REST_OF_SIGN_IN_MS)
  return changed
}

/** Takes a session off the list that was ended, or that could not begin. */
export function delist(io: RecordIO, { entryId, mark }: SignedIn): Promise<void> {
  return aside(io, (own) => removeFrom(own, [mark], (id) => id === entryId))
}

export async function removeFrom(
  io: RecordIO,
  marks: readonly MarkKeys[],
  isMeant: (id: string) => boolean,
): Promise<void> {
  const change: MarkChange = (entries) => {
    const rest = entries.filter(({ id }) => !isMeant(id))
    return rest.length < entries.length ? rest : undefined
  }
  await Promise.all(marks.map((keys) => io.services.markChanges.make(io, keys, change)))
}

/**
 * For what a commit does besides: it has a time of its own, and the commit waits for it as long as its own lasts (F2). A
 * failure is told, not thrown.
 */
export async function aside(io: RecordIO, work: (own: RecordIO) => Promise<void>): Promise<void> {
  const working = work(new RecordIO(io.services, true)).catch((error: unknown) => {
    // The store's were told when they came.
    if (!(error instanceof StoreUnavailableError)) io.services.emit('store-error', { error })
  })
  await within(io.timeLeft(), () => working).catch(() => {})
}

function areSame(left: MarkEntry, right: MarkEntry): boolean {
  const names = Object.keys(left) as (keyof MarkEntry)[]
  return names.every((name) => left[name] === right[name])
}
