import { serverName, type ServerAddress } from '../core/stores/memcached/address.ts'
import { PATIENCE_MS, runCanary } from './canary.ts'
import { MemcachedClient } from '../core/stores/memcached/client.ts'
import { MemcachedStore } from '../core/stores/memcached/memcached-store.ts'
import { explain } from './failure.ts'
import { located, ok, type Finding, type LocatedFinding, type Reading } from './finding.ts'
import { findingsAtStart } from './findings-at-start.ts'
import { findingsInUse } from './findings-in-use.ts'
import { lookUpName } from './name-of-server.ts'
import { sampleKeys } from './key-sample.ts'
import { examineRedis } from './redis.ts'
import { readSettings, type Settings } from '../core/stores/memcached/settings.ts'

/** Whether sessions can live at an address, and why not. */
export interface Report {
  /** That of the worst finding: `warning` is fit as yet. */
  level: 'unfit' | 'warning' | 'ok'
  /** Worst first. */
  findings: LocatedFinding[]
}

/**
 * Asks every server of a `memcached://` or `redis://` address whether it is fit to hold sessions: runs the store's
 * operations on a record of its own and reads what the server says of itself. Takes half a minute at most and resolves
 * whatever the servers do; a server that cannot be asked is a finding.
 *
 * Rejects with `TypeError` or `RangeError` for a wrong address.
 */
export async function diagnose(address: string): Promise<Report> {
  const examineAll = /^(redis|valkey)s?:/i.test(address) ? examineRedis : examineMemcached
  const findings = (await examineAll(address)).toSorted(
    (one, other) => LEVELS.indexOf(one.level) - LEVELS.indexOf(other.level),
  )
  const worst = findings[0]!.level
  return { level: worst === 'skipped' ? 'ok' : worst, findings }
}

const LEVELS: readonly Finding['level'][] = ['unfit', 'warning', 'skipped', 'ok']

/** A line for each finding, the worst first, and the verdict. */
export function linesOf({ level, findings }: Report): string[] {
  const width = Math.max(...findings.map(({ server }) => server.length))
  const lines = findings.map(({ level, server, message, advice }) => {
    const line = `${level.padEnd(7)}  ${server.padEnd(width)}  ${message}${advice ? `. ${advice}.` : ''}`
    // A terminal obeys what a server may have put into its version.
    return line.replaceAll(/\p{Cc}/gu, '?')
  })
  return [...lines, VERDICTS[level]]
}

const VERDICTS = {
  unfit: 'UNFIT to hold sessions',
  warning: 'fit to hold sessions, with warnings',
  ok: 'fit to hold sessions',
}

async function examineMemcached(address: string): Promise<LocatedFinding[]> {
  const settings = readSettings(address)
  const { servers } = settings
  const examined = await Promise.all(
    servers.map(async (server) => located(serverName(server), await examine(server, settings))),
  )
  // What nobody can see from here (I2).
  const demands = `${servers.length} servers: every application server must list the same; a change signs out who moves, and a server that is put back must be restarted first`
  return [...examined.flat(), ...located('all', servers.length > 1 ? [ok('list', demands)] : [])]
}

async function examine(
  server: ServerAddress,
  { keyPrefix, maxBytes, connection }: Settings,
): Promise<Finding[]> {
  const { operationTimeoutMs, credentials, tls } = connection
  const patience = { operationTimeoutMs: PATIENCE_MS, connectTimeoutMs: PATIENCE_MS }
  const client = new MemcachedClient([server], { ...connection, ...patience })
  const servers = serverName(server)
  const store = new MemcachedStore({ servers, keyPrefix, tls, ...credentials, ...patience })
  try {
    const stats = await client.stats().catch(({ cause }: Error) => cause as Error)
    if (stats instanceof Error) return [explain('reachable', stats)]
    const readAt = Date.now()
    const settings = await client.stats('settings').catch(() => new Map<string, string>())
    const operations = await runCanary(store, operationTimeoutMs, explain)
    const protection = tls ? 'TLS' : credentials && 'a password'
    const keys: Reading['keys'] = protection
      ? { omitted: `with ${protection} it is not asked in text` }
      : await sampleKeys(server, keyPrefix).catch((error: Error) => ({ omitted: error.message }))
    const reading = { stats, settings, readAt, operations, keys, keyPrefix, maxBytes }
    return [...findingsInUse(reading), ...findingsAtStart(reading), ...(await lookUpName(server.host))]
  } finally {
    client.close()
    await store.close()
  }
}
