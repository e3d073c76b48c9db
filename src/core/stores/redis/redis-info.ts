import type { Notice } from '../notices.ts'

/** What a server's INFO said at a time. */
export interface Info {
  /** Another one after every restart. */
  run: string
  /** Those of the database in use. */
  keys: number
  flushes: number
  evictions: number
  /** Milliseconds since the epoch. */
  date: number
}

export function infoOf(text: string, database: number): Info {
  const after = (name: string) => new RegExp(`^${name}(\\w+)`, 'm').exec(text)?.[1] ?? '0'
  return {
    run: after('run_id:'),
    keys: Number(after(`db${database}:keys=`)),
    flushes: Number(after('cmdstat_flushall:calls=')) + Number(after('cmdstat_flushdb:calls=')),
    evictions: Number(after('evicted_keys:')),
    date: Date.now(),
  }
}

/** Counters begin anew with a restart, and one that went down is a new baseline. */
export function happenedBetween(before: Info, after: Info): Notice[] {
  // What it lost it may have got back in part since; and one that wrote its keys down has lost none.
  const hasLost = after.keys < before.keys / 2
  if (after.run !== before.run) return hasLost ? [{ type: 'server-restarted' }] : []
  const notices: Notice[] = []
  if (after.flushes > before.flushes && hasLost) notices.push({ type: 'server-flushed' })
  const count = after.evictions - before.evictions
  if (count > 0) notices.push({ type: 'server-evicting', count, since: before.date })
  return notices
}
