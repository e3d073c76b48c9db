import { serverName, type ServerAddress } from '../core/stores/memcached/address.ts'
import { runCanary } from './canary.ts'
import { MemcachedClient } from '../core/stores/memcached/client.ts'
import { explain } from './failure.ts'
import { ok, type Finding, type Reading } from './finding.ts'
import { findingsAtStart } from './findings-at-start.ts'
import { findingsInUse } from './findings-in-use.ts'
import { lookUpName } from './name-of-server.ts'
import { sampleKeys } from './key-sample.ts'
import { readSettings, type Settings } from '../core/stores/memcached/settings.ts'

/** Whether sessions can live at an address, and why not. */
export interface Report {
  /** That of the worst finding: `warning` is fit as yet. */
  level: 'unfit' | 'warning' | 'ok'
  /** Worst first. */
  findings: LocatedFinding[]
}

/** `server` is a `host:port`, or `all` for what concerns their list. */
export type LocatedFinding = { server: string } & Finding

/**
 * Asks every server of a `memcached://` address whether it is fit to hold sessions: runs the store's operations on a
 * record of its own and reads what the server says of itself. Takes half a minute at most and resolves whatever the
 * servers do; a server that cannot be asked is a finding.
 *
 * Rejects with `TypeError` or `RangeError` for a wrong address.
 */
export async function diagnose(address: string, lookUp: typeof lookUpName = lookUpName): Promise<Report> {
  const settings = readSettings(address)
  const { servers } = settings
  const examined = await Promise.all(
    servers.map(async (server) => {
      const findings = await examine(server, settings, lookUp)
      return findings.map((finding) => located(serverName(server), finding))
    }),
  )
  const all = servers.length > 1 ? [located('all', aboutList(servers.length))] : []
  const findings = [...examined.flat(), ...all].toSorted(
    (one, other) => LEVELS.indexOf(one.level) - LEVELS.indexOf(other.level),
  )
  const worst = findings[0]!.level
  return { level: worst === 'skipped' ? 'ok' : worst, findings }
}

function located(server: string, finding: Finding): LocatedFinding {
  return { server, ...finding }
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

/** Longer than the store waits, to tell a slow server from a dead one. */
const PATIENCE_MS = 2_000

async function examine(
  server: ServerAddress,
  { keyPrefix, maxBytes, connection }: Settings,
  lookUp: typeof lookUpName,
): Promise<Finding[]> {
  const patient = { ...connection, operationTimeoutMs: PATIENCE_MS, connectTimeoutMs: PATIENCE_MS }
  const client = new MemcachedClient([server], patient)
  try {
    const stats = await client.stats().catch((error: Error) => error)
    if (stats instanceof Error) return [explain('reachable', stats)]
    const readAt = Date.now()
    const settings = await client.stats('settings').catch(() => new Map<string, string>())
    const { operationTimeoutMs } = connection
    const known = { stats, settings, readAt, keyPrefix, maxBytes, operationTimeoutMs }
    const canary = await runCanary(client, keyPrefix)
    const keys = await lookAtKeys(server, keyPrefix, connection)
    const names = await lookUp(server.host)
    return [...findingsInUse({ ...known, canary, keys }), ...findingsAtStart(known), ...names]
  } finally {
    client.close()
  }
}

async function lookAtKeys(
  server: ServerAddress,
  keyPrefix: string,
  { credentials, tls }: Settings['connection'],
): Promise<Reading['keys']> {
  if (credentials || tls) return { omitted: `with ${tls ? 'TLS' : 'a password'} it is not asked in text` }
  return sampleKeys(server, keyPrefix).catch((error: Error) => ({ omitted: error.message }))
}

/** I2. */
function aboutList(count: number): Finding {
  return ok(
    'list',
    `${count} servers: every application server must list the same; a change signs out who moves, and a server that is put back must be restarted first`,
  )
}
