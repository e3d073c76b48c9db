import { infoOf } from '../core/stores/redis/redis-info.ts'
import { firstOfEach, ok, skipped, unfit, warning, type Finding, type Reading } from './finding.ts'
import { isLoopback } from './findings-at-start.ts'
import { mebibytes, NEARLY_FULL, numberOf, whenStarted } from './findings-in-use.ts'
import { isSession } from './key-sample.ts'

/** All that was read of one Redis or Valkey. */
export interface RedisReading extends Pick<Reading, 'readAt' | 'operations' | 'keyPrefix'> {
  url: URL
  /** Empty where the server does not tell. */
  info: string
  /** Empty where the server does not tell. */
  config: ReadonlyMap<string, string>
  /** What SCAN answered. */
  scan: [Buffer, Buffer[]] | Error
  /** It wants no password. */
  isOpen: boolean
}

/** What is found; of one level, what matters most comes first. */
export function findingsOfRedis(reading: RedisReading): Finding[] {
  return [...fromInfo(reading), ...fromTrying(reading)]
}

/** What the server says of itself. */
function fromInfo({ info, config, readAt }: RedisReading): Finding[] {
  if (info === '') {
    const unseen = 'age, version, flushes, memory, persistence and role were not looked at'
    return [skipped('info', `does not tell how it is doing (INFO): ${unseen}`)]
  }
  const stats = new Map(info.split(/\r?\n/).map((line) => line.split(/:(.*)/) as [string, string]))
  const versionOf = (name: string) => `${name.toLowerCase()}_version`
  const count = (name: string) => numberOf(stats, name)
  const { flushes, evictions } = infoOf(info, 0)
  const maker = ['Valkey', 'Dragonfly'].find((name) => stats.has(versionOf(name))) ?? 'Redis'
  const [used, limit, replicas] = [count('used_memory'), count('maxmemory'), count('connected_slaves')]
  const uses = `uses ${mebibytes(used)} of ${mebibytes(limit)} MiB`
  const policy = stats.get('maxmemory_policy') ?? 'noeviction'
  const full = 'when it is full it refuses writes (noeviction), and nobody can sign in or out'
  const failed = info.match(/^(aof|rdb)_\w+_status(?=:err)/gm) ?? []
  const [hasLog, fsync, save] = [count('aof_enabled') > 0, config.get('appendfsync'), config.get('save')]
  return firstOfEach([
    [true, ok('uptime', `was started ${whenStarted(count('uptime_in_seconds'), readAt)}${!hasLog && save === '' ? '; what was signed in before is gone' : ''}`)],
    [true, ok('version', `is ${maker} ${stats.get(versionOf(maker))}`)],
    [flushes > 0, warning('flushes', `was flushed since its start (${flushes}), and everybody signed out`, 'Find who did it: is it shared with an object cache? ACL SETUSER name -flushall -flushdb forbids it')],
    [true, ok('flushes', 'was never flushed since its start')],
    [evictions > 0, warning('evictions', `was full and evicted records (${evictions}) since its start: their owners were signed out`, 'Raise maxmemory, and set maxmemory-policy noeviction')],
    [true, ok('evictions', 'evicted nothing since its start')],
    [limit === 0, warning('memory', `uses ${mebibytes(used)} MiB without a limit (maxmemory 0): it grows until the machine kills it`, 'Set maxmemory, and maxmemory-policy noeviction')],
    [policy !== 'noeviction', warning('memory', `signs visitors out without a word when it is full (${policy}); ${uses}`, 'Set maxmemory-policy noeviction, and a maxmemory with room to spare')],
    [used >= limit * NEARLY_FULL, warning('memory', `is nearly full: ${uses}; ${full}`, 'Raise maxmemory')],
    [true, ok('memory', `${uses}; ${full}`)],
    [failed.length > 0, warning('persistence', `could not write to its disk (${failed.join(', ')})`, 'Look at that disk and at its log: it may refuse writes before long')],
    [hasLog && fsync === 'always', ok('persistence', 'writes down what changes before it answers (AOF, always)')],
    [hasLog && fsync === 'no', warning('persistence', 'leaves it to its host when changes reach the disk (AOF, no): a power cut undoes half a minute, sign-outs too', 'Set appendfsync everysec')],
    [hasLog, ok('persistence', `writes down what changes (AOF, ${fsync ?? 'as a rule everysec'}): a power cut undoes a second, sign-outs too`)],
    [save === undefined, skipped('persistence', 'keeps no log of changes (AOF); whether it writes snapshots cannot be seen (CONFIG)')],
    [save === '', ok('persistence', 'writes nothing down: a restart signs everybody out, unless appendonly is yes')],
    [true, warning('persistence', `writes snapshots alone: a crash undoes what changed since the last (${count('rdb_changes_since_last_save')} changes), sign-outs too`, 'Set appendonly yes, appendfsync everysec')],
    [stats.get('role') === 'slave', unfit('role', 'is a replica: what is written there goes nowhere', 'Give the address of the master')],
    [replicas > 0, ok('role', `is a master with replicas (${replicas}): a failover may undo what it answered last, sign-outs too`)],
    [true, ok('role', 'is a master without replicas')],
  ]) // prettier-ignore
}

/** What came of asking it. */
function fromTrying({ info, config, operations, url, keyPrefix, scan, isOpen }: RedisReading): Finding[] {
  const bind = config.get('bind')
  const listeners = (bind === '' ? '*' : (bind ?? url.hostname)).replaceAll(/(?<!\S)-/g, '').split(' ')
  const open = listeners.filter((listener) => !isLoopback(listener)).join(', ')
  const isEncrypted = url.protocol === 'rediss:' && (config.get('port') ?? '0') === '0'
  const others = info.match(new RegExp(`^db(?!${url.pathname.slice(1) || 0}:)\\d+(?=:keys=)`, 'gm')) ?? []
  const keys = scan instanceof Error ? [] : scan[1]
  const foreign = keys.filter((key) => !isSession(key.toString('latin1'), keyPrefix)).length
  const own = 'Who fills or flushes it signs everybody out: give sessions a server of their own'
  return firstOfEach([
    [true, operations],
    [foreign > 0, warning('sharing', `is shared: keys not under '${keyPrefix}' (${foreign} of ${keys.length} looked at)`, own)],
    [others.length > 0, warning('sharing', `is shared: there are keys in ${others.join(', ')}`, own)],
    [scan instanceof Error, skipped('sharing', `does not tell whose keys it holds: ${scan}`)],
    [true, ok('sharing', `holds sessions alone: ${keys.length} keys were looked at, all under '${keyPrefix}'`)],
    [bind === undefined && open === '', skipped('network', 'does not tell where it listens (CONFIG)')],
    [open === '', ok('network', 'listens on the loopback alone')],
    [isOpen && config.get('protected-mode') === 'yes', ok('network', 'wants no password, and takes connections from its own host alone (protected-mode)')],
    [isOpen, warning('network', `listens on ${open} and wants no password: whoever reaches it can end every session`, 'Use bind 127.0.0.1; between hosts requirepass or ACL, and TLS (rediss://) or a private network')],
    [isEncrypted, ok('network', 'wants TLS and a password')],
    [true, warning('network', `listens on ${open} without TLS: the password can be read on the way`, 'Between hosts TLS (tls-port, port 0, rediss://) or a private network')],
  ]) // prettier-ignore
}

/** What CLUSTER SLOTS answers: the first and the last, and who has them. */
export type Slots = [first: number, last: number, master: [host: Buffer | null, port: number]][]

const SLOTS = 16384

export function aboutCluster(slots: Slots): Finding {
  const served = slots.reduce((sum, [first, last]) => sum + last - first + 1, 0)
  const message = `has a master for ${served} of ${SLOTS} slots`
  if (served === SLOTS) return ok('cluster', `${message}, and each was asked`)
  return unfit('cluster', `${message}: sessions in the others fail`, 'Give them out: redis-cli --cluster fix')
}
