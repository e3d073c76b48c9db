import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SessionManager } from '../../src/core/index.ts'
import { startMemcached, type Memcached } from '../../test/support/memcached.ts'
import { built } from '../lib/built.ts'
import { load } from '../lib/load.ts'
import { sampleData } from '../lib/sample-data.ts'
import { startServer, type ServerProcess } from '../lib/server-process.ts'
import { paths, SECRET, TTL_SECONDS } from '../lib/servers/listening.ts'
import { figureOf, type Figure } from '../lib/statistics.ts'

/** CPU of a request of Hono + holdfast, against one thing that grows. */
export interface Curve {
  name: string
  points: { at: number; read: Figure; write: Figure }[]
}

interface Setting {
  jsonBytes: number
  sessions: number
  servers: number
  inFlight: number
}

const usual: Setting = { jsonBytes: 260, sessions: 512, servers: 1, inFlight: 32 }

/** With as many sessions as it takes that no two requests in flight meet in one: conflicts are another matter. */
const grown: { name: string; what: keyof Setting; values: number[]; setting: Setting }[] = [
  {
    name: 'bytes of JSON a session',
    what: 'jsonBytes',
    values: [100, 1_000, 10_000, 100_000],
    setting: usual,
  },
  {
    name: 'live sessions',
    what: 'sessions',
    values: [10, 100, 1_000, 10_000, 100_000],
    setting: { ...usual, inFlight: 4 },
  },
  { name: 'memcached servers', what: 'servers', values: [1, 2, 4, 8], setting: usual },
  {
    name: 'requests in flight',
    what: 'inFlight',
    values: [1, 8, 64, 512],
    setting: { ...usual, sessions: 10_000 },
  },
]

/** The points of a curve are measured in alternating rounds, like peers. */
export async function measureGrowth(rounds: number, onCurve: (done: string) => void): Promise<Curve[]> {
  const curves: Curve[] = []
  for (const { name, what, values, setting } of grown) {
    const stages: Stage[] = []
    try {
      for (const value of values) stages.push(await setUp({ ...setting, [what]: value }))
      const results = stages.map(() => ({ read: [] as number[], write: [] as number[] }))
      // Round 0 warms up.
      for (let round = 0; round <= rounds; round++) {
        for (const scenario of ['read', 'write'] as const) {
          const order = [...stages.keys()]
          for (const index of round % 2 === 0 ? order : order.toReversed()) {
            const cpu = await measureOnce(stages[index]!, scenario, round === 0 ? 4 : 2)
            if (round > 0) results[index]![scenario].push(cpu)
          }
        }
      }
      const points = values.map((at, index) => {
        const { read, write } = results[index]!
        return { at, read: figureOf(read), write: figureOf(write) }
      })
      curves.push({ name, points })
      onCurve(`measured: ${name}`)
    } finally {
      for (const stage of stages) await stage.end()
    }
  }
  return curves
}

interface Stage extends Setting {
  server: ServerProcess
  cookieFile: string
  end(): Promise<void>
}

async function setUp(setting: Setting): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-growth-'))
  const memcacheds: Memcached[] = []
  for (let server = 0; server < setting.servers; server++) {
    memcacheds.push(await startMemcached({ args: ['-t', '1', '-m', '512'] }))
  }
  const addresses = memcacheds.map(({ port }) => `127.0.0.1:${port}`).join(',')
  const cookies = await issueSessions(addresses, setting)
  const cookieFile = join(folder, 'cookies')
  await writeFile(cookieFile, cookies.join('\n'))
  const server = await startServer({ name: 'holdfast-hono' }, { MEMCACHED: addresses })
  return {
    ...setting,
    server,
    cookieFile,
    async end() {
      await server.stop()
      for (const memcached of memcacheds) await memcached.stop()
      await rm(folder, { recursive: true })
    },
  }
}

/** Straight into memcached, as the server under test would: 100 000 sign-ins over HTTP take long. */
async function issueSessions(servers: string, { jsonBytes, sessions }: Setting): Promise<string[]> {
  const core = await built('index')
  const memcached = await built('stores/memcached/memcached-store')
  const store = new memcached.MemcachedStore({ servers: servers.split(','), operationTimeoutMs: 5_000 })
  const manager = core.createSessionManager({ store, secret: SECRET, idleTimeout: TTL_SECONDS })
  const data = Object.entries(sampleData(jsonBytes))
  const cookies: string[] = []
  const worker = async () => {
    while (cookies.length < sessions) cookies.push(await issue(manager, data))
  }
  await Promise.all(Array.from({ length: 32 }, worker))
  await manager.close()
  return cookies.slice(0, sessions)
}

async function issue(manager: SessionManager, data: readonly [string, unknown][]): Promise<string> {
  const session = manager.open(undefined)
  for (const [key, value] of data) session.set(key, value)
  const headers = new Headers()
  await manager.commit(session, () => ({ status: 200, headers }))
  return headers.getSetCookie()[0]!.split(';')[0]!
}

async function measureOnce(
  { server, cookieFile, inFlight }: Stage,
  scenario: 'read' | 'write',
  seconds: number,
): Promise<number> {
  const before = await server.cpu()
  const target = { url: server.url, path: paths[scenario], cookieFile, connections: inFlight }
  const { requests } = await load({ ...target, seconds })
  return ((await server.cpu()) - before) / requests
}
