import type { Notice } from '../notices.ts'

/** What a server's STAT said at a time. */
export interface Reading {
  /** In seconds; a warm restart keeps it, as it does what the server holds. */
  uptime: number
  /** Those that were refused (`-F`) included. */
  flushes: number
  evictions: number
  /** Another one after every restart, also where the pid is always 1. */
  process: string
  /** Milliseconds, monotonic. */
  at: number
  /** Milliseconds since the epoch. */
  date: number
}

/** `undefined` for a server that does not say all of it. */
export function readingOf(stats: ReadonlyMap<string, string>, at: number, date: number): Reading | undefined {
  const numberOf = (name: string) => Number(stats.get(name))
  const [uptime, flushes, evictions] = [numberOf('uptime'), numberOf('cmd_flush'), numberOf('evictions')]
  const startedAt = numberOf('time') - uptime
  if (!Number.isSafeInteger(startedAt + flushes + evictions)) return undefined
  return { uptime, flushes, evictions, process: `${stats.get('pid')} since ${startedAt}`, at, date }
}

/** Both clocks count whole seconds, or are read a little late. */
const TOLERANCE_SECONDS = 2

/** A restart begins the counters anew, and with them the comparison; so does a counter that went down. */
export function happenedBetween(before: Reading, after: Reading): Notice[] {
  const isBehind = after.uptime < before.uptime + (after.at - before.at) / 1000 - TOLERANCE_SECONDS
  // One that is behind and the same was stopped, or its machine was, and goes on with all that it held.
  if (isBehind && after.process !== before.process) return [{ type: 'server-restarted' }]
  const notices: Notice[] = []
  if (after.flushes > before.flushes) notices.push({ type: 'server-flushed' })
  const count = after.evictions - before.evictions
  if (count > 0) notices.push({ type: 'server-evicting', count, since: before.date })
  return notices
}
