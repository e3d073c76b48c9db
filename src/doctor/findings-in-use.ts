import { firstOfEach, ok, skipped, warning, type Finding, type Reading } from './finding.ts'

/** What is found in how the server is doing and what was done to it; of one level, what matters most comes first. */
export function findingsInUse(reading: Reading): Finding[] {
  const { stats, settings, readAt, operations } = reading
  if (stats.size === 0) {
    const unseen = 'flushes, evictions, memory and its clock were not looked at'
    return [operations, skipped('stats', `does not tell how it is doing: ${unseen}`)]
  }
  const count = (name: string) => numberOf(stats, name)
  const [flushes, evictions, refusals] = [count('cmd_flush'), count('evictions'), count('store_no_memory')]
  const [bytes, limit] = [count('bytes'), count('limit_maxbytes')]
  const beginning = beginningOf(reading)
  const when = whenStarted(count('uptime'), readAt)
  const since = beginning === 'warm' ? 'since its last restart' : 'since its start'
  const version = stats.get('version')
  const isMended = version && version.localeCompare(MENDED_VERSION, 'en', { numeric: true }) >= 0
  // More than 30 days to live are sent as a date, which the server goes by with its own clock (M7).
  const ahead = Math.round(count('time') - readAt / 1000)
  const [where, outcome] = ahead > 0 ? ['ahead of', 'early'] : ['behind', 'late']
  const often = flushes === 1 ? 'once' : `${flushes} times`
  const used = `uses ${mebibytes(bytes)} of ${mebibytes(limit)} MiB`
  const unread = count('evicted_unfetched')
  const moreMemory = 'Give it more memory (-m) before sessions are evicted or refused'
  return firstOfEach([
    [beginning === 'empty', warning('uptime', `began empty ${when}, with its memory file (-e) and all: what was signed in before is gone`, 'Right for a first start. A warm one needs SIGUSR1 before it, a pause of more than a second, and the same -m and -I')],
    [true, ok('uptime', `was started ${beginning === 'cold' ? 'cold ' : ''}${when}${BEGINNINGS[beginning]}`)],
    [version === undefined, skipped('version', 'does not tell its version')],
    [true, ok('version', `is memcached ${version}${isMended ? '' : MENDED_SINCE}`)],
    [true, operations],
    [flushes === 0, ok('flushes', `was never flushed ${since}`)],
    // memcached counts what it refuses, too.
    [settings.get('flush_enabled') === 'no', ok('flushes', `refused to be flushed ${often} ${since} (-F)`)],
    [true, warning('flushes', `was flushed ${often} ${since}, and everybody signed out`, 'Find who did it: is it shared with an object cache? With -F (--disable-flush-all) it refuses')],
    [evictions === 0, ok('evictions', `evicted nothing ${since}`)],
    [true, warning('evictions', `was full and evicted records (${evictions}, of them never read ${unread}) ${since}: their owners were signed out`, 'Give it more memory (-m); where most were never read, look for what begins sessions and does not come back')],
    [refusals > 0, warning('memory', `refused writes for want of memory (${refusals}); ${used}`, moreMemory)],
    [bytes < limit * NEARLY_FULL, ok('memory', used)],
    [true, warning('memory', `is nearly full: ${used}`, moreMemory)],
    [true, checkSharing(reading)],
    [Math.abs(ahead) <= CLOCK_TOLERANCE_SECONDS, ok('clock', "has the same time as this host's clock")],
    [true, warning('clock', `has a clock ${Math.abs(ahead)} seconds ${where} this host's: sessions kept for over 30 days end so much too ${outcome}`, 'Set both clocks, then restart it: memcached looks at the clock once, at its start')],
  ]) // prettier-ignore
}

/** Measured with -m 64 and records from 300 bytes to 100 kB: evictions begin at 85 to 87 % of the limit. */
export const NEARLY_FULL = 0.75

/** Holdfast counts nothing in memcached. Gets say nothing: what does not renew a session reads by them. */
const NOT_OURS = ['incr_hits', 'incr_misses', 'decr_hits', 'decr_misses']

function checkSharing({ stats, keys, keyPrefix }: Reading): Finding {
  const items = numberOf(stats, 'curr_items')
  const foreign = NOT_OURS.reduce((sum, name) => sum + numberOf(stats, name), 0)
  const signs: string[] = []
  if ('looked' in keys && keys.foreign > 0) {
    const of = keys.isComplete ? 'of' : 'of the first'
    signs.push(`keys not under '${keyPrefix}' (${keys.foreign} ${of} ${keys.looked})`)
  }
  // What somebody tries by hand in a busy instance is no traffic.
  if (foreign > numberOf(stats, 'cmd_touch') / 100) signs.push(`counters not by Holdfast (${foreign})`)
  if (signs.length > 0) {
    const advice =
      'Who fills or flushes it signs everybody out: give sessions their own (memcached -l 127.0.0.1 -p 11200 -m 256 -U 0)'
    return warning('sharing', `is shared: ${signs.join(', ')}`, advice)
  }
  if ('omitted' in keys) {
    return skipped('sharing', `holds ${items} items; whose they are cannot be seen: ${keys.omitted}`)
  }
  if (keys.isComplete) return ok('sharing', `holds sessions alone: ${keys.looked} keys under '${keyPrefix}'`)
  return ok('sharing', `holds ${items} items; the first ${keys.looked} are all sessions under '${keyPrefix}'`)
}

const CLOCK_TOLERANCE_SECONDS = 5

/** K5: what became of who was signed in. */
const BEGINNINGS = {
  cold: '; what was signed in before is gone',
  warm: ', and restarted warm since; what was signed in stayed',
  unclear: '; whether it kept what was signed in before cannot be seen any more',
  empty: '',
}

/** A warm restart keeps items and uptime, and has memcached count all else anew. */
function beginningOf({ stats, settings }: Reading): keyof typeof BEGINNINGS {
  if ((settings.get('memory_file') ?? '(null)') === '(null)') return 'cold'
  const refused = numberOf(stats, 'cas_badval') + numberOf(stats, 'cas_misses')
  const written = numberOf(stats, 'cmd_set') - refused
  // What came out of the file is among its items, and nobody wrote it.
  const total = numberOf(stats, 'total_items')
  if (total > written) return 'warm'
  // Where fewer are there than were written, some were refused, or memcached was told to count anew.
  return total === written ? 'empty' : 'unclear'
}

/** Up to this one, releases mended bugs of the binary protocol, which Holdfast speaks. */
const MENDED_VERSION = '1.6.45'

/** S68: never a warning, since distributions mend what still has an old number. */
const MENDED_SINCE = `; bugs of its binary protocol were mended up to ${MENDED_VERSION}, by distributions in old versions, too`

export function whenStarted(seconds: number, readAt: number): string {
  const uptime = Math.min(seconds, readAt / 1000)
  const date = new Date(readAt - uptime * 1000).toISOString().replace('T', ' ').slice(0, 19)
  return `${date} UTC, ${duration(uptime)} ago`
}

function duration(seconds: number): string {
  const [unit, size] = UNITS.find(([, size]) => seconds >= 2 * size) ?? (['second', 1] as const)
  const count = Math.floor(seconds / size)
  return count === 1 ? `${count} ${unit}` : `${count} ${unit}s`
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const

export function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}

/** No server may make a figure that later fails to be a date. */
export function numberOf(stats: ReadonlyMap<string, string>, name: string): number {
  const text = stats.get(name) ?? ''
  return /^\d{1,15}$/.test(text) ? Number(text) : 0
}
