import type { Journal } from '../draft/journal.ts'
import type { StoreUnavailableError } from '../errors.ts'
import { remembers, type LiveRecord, type Tombstone } from '../record/record.ts'
import { pause } from '../record/pause.ts'
import { asUnanswered, LEAST_TIME_MS, type LiveSession, type RecordIO } from '../record/record-io.ts'

/** How a {@link swap} ended. `exhausted`: others kept writing for as long as a request may wait. */
export type Swapped =
  | { outcome: 'unchanged' | 'written'; session: LiveSession }
  | { outcome: 'ended'; tombstone: Tombstone }
  | { outcome: 'missing' | 'exhausted' }

type Next = LiveRecord | Tombstone | undefined

/** One write, recognisable when its reply is lost. */
export type Write = Pick<Journal, 'writeId' | 'unanswered'>

/**
 * Writes what `next` makes of a session by compare-and-swap, again and again on the newest record while others write
 * first, until no more than `reserveMs` is left of the time. A write whose reply was lost is settled by reading: its id
 * is in the record or it was not applied. Then it is tried once more.
 */
export async function swap(
  io: RecordIO,
  loaded: LiveSession,
  write: Write,
  next: (newest: LiveSession) => Next | Promise<Next>,
  reserveMs: number = LEAST_TIME_MS,
): Promise<Swapped> {
  let session = loaded
  const failures: StoreUnavailableError[] = []
  const isExhausted = () => {
    if (io.timeLeft() > reserveMs) return false
    if (failures[0]) throw failures[0]
    return true
  }
  for (let attempt = 0; ; attempt++) {
    if (remembers(session.record, write.writeId)) return { outcome: 'written', session }
    if (failures.length > 1) throw failures[1]
    if (attempt > 0 && isExhausted()) return { outcome: 'exhausted' }
    const made = next(session)
    const record = made instanceof Promise ? await made : made
    if (!record) return { outcome: 'unchanged', session }
    const reply = await io.replace(session.keys, record, session.version).catch(asUnanswered)
    switch (reply.outcome) {
      case 'replaced':
        return { outcome: 'written', session: withRecord(io, session, record, reply.version) }
      case 'missing':
        return { outcome: 'missing' }
      case 'conflict':
        io.services.emit('conflict')
        break
      case 'unanswered':
        write.unanswered ??= session.record.generation
        failures.push(reply.error)
    }
    // Wait, then read, then swap with nothing waited for in between: the other order loses to every other writer.
    if (attempt > 0) await pause(attempt)
    if (isExhausted()) return { outcome: 'exhausted' }
    const found = await io.read(session.keys, io.ttlOf(session.record))
    if (!found?.record) return { outcome: 'missing' }
    const stale = session.record
    session = withRecord(io, session, found.record, found.version)
    if ('ended' in found.record) {
      if (found.record.writeId === write.writeId) return { outcome: 'written', session }
      return { outcome: 'ended', tombstone: found.record }
    }
    // The read restarted the time to live of what was known until now.
    const ttl = io.ttlOf(session.record)
    if (ttl !== io.ttlOf(stale)) await io.touch(session.keys, ttl)
  }
}

/** As it was read, or written, a moment ago; both restart its time to live. */
function withRecord(
  { services }: RecordIO,
  session: LiveSession,
  record: LiveRecord | Tombstone,
  version: unknown,
): LiveSession {
  const newest = 'ended' in record ? session.record : record
  return { keys: session.keys, record: newest, version, renewedAt: services.now() }
}
