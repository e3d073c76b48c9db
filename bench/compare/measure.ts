import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startMemcached, type Memcached } from '../../test/support/memcached.ts'
import { load } from '../lib/load.ts'
import { startServer, type ServerProcess } from '../lib/server-process.ts'
import { paths } from '../lib/servers/listening.ts'
import { figureOf, type Figure } from '../lib/statistics.ts'
import type { Peer } from './peers.ts'
import type { Scenario } from './scenarios.ts'
import { checkSessions, checkSignedIn, signIn } from './visitor.ts'

/** One second of one peer under one scenario; more where a busy machine leaves it too few requests. */
export interface Round {
  requests: number
  requestsPerSecond: number
  /** Microseconds of the server's CPU, a request. */
  cpu: number
  /** Of memcached, a request. */
  commands: number
  /** To memcached, a request. */
  connections: number
}

/** A peer under one scenario: its rounds in order, so that those of two peers can be compared pair by pair. */
export interface Measurement {
  peer: string
  scenario: Scenario['name']
  rounds: Round[]
}

const VISITORS = 512
/** Until the runtime has compiled what it will. */
const WARM_UP_REQUESTS = 15_000
const LEAST_REQUESTS = 1_000

/**
 * Measures all peers in alternating rounds: each round goes once through all of them, every second one backwards, so
 * that what the machine does meanwhile meets them all alike. No round is left out.
 */
export async function measure(
  peers: readonly Peer[],
  scenarios: readonly Scenario[],
  rounds: number,
  onRound: (done: string) => void,
): Promise<Measurement[]> {
  // Room for the records that some peers make for every anonymous request: nothing may be evicted.
  const memcached = await startMemcached({ args: ['-t', '1', '-m', '2048', '-c', '8192'] })
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
  const running: Running[] = []
  try {
    for (const peer of peers) running.push(await start(peer, memcached, folder))
    // The checks have emptied memcached, so visitors come after all of them.
    for (const one of running) await signInVisitors(one)
    const measurements = peers.flatMap((peer) =>
      scenarios
        .filter((scenario) => concerns(peer, scenario))
        .map((scenario): Measurement => ({ peer: peer.name, scenario: scenario.name, rounds: [] })),
    )
    // Round 0 warms up.
    for (let round = 0; round <= rounds; round++) {
      const order = round % 2 === 0 ? running : running.toReversed()
      for (const scenario of scenarios) {
        for (const one of order.filter(({ peer }) => concerns(peer, scenario))) {
          if (round === 0) {
            await measureOnce(one, scenario, memcached, WARM_UP_REQUESTS)
            continue
          }
          const isOurs = ({ peer, scenario: name }: Measurement) =>
            peer === one.peer.name && name === scenario.name
          const result = await measureOnce(one, scenario, memcached, LEAST_REQUESTS)
          measurements.find(isOurs)!.rounds.push(result)
        }
      }
      onRound(round === 0 ? 'warmed up' : `round ${round} of ${rounds}`)
    }
    for (const one of running) await checkAfterwards(one)
    const { evictions } = await statsOf(memcached)
    if (evictions! > 0) throw new Error(`memcached evicted ${evictions} records`)
    return measurements
  } finally {
    await Promise.all(running.map(({ server }) => server.stop()))
    await memcached.stop()
    await rm(folder, { recursive: true })
  }
}

/** One figure of a measurement, over its rounds. */
export function figure({ rounds }: Measurement, name: keyof Round): Figure {
  return figureOf(rounds.map((round) => round[name]))
}

interface Running {
  peer: Peer
  server: ServerProcess
  cookieFile: string
  /** Of the first visitor. */
  cookie?: string
}

async function start(peer: Peer, memcached: Memcached, folder: string): Promise<Running> {
  const server = await startServer(peer, { MEMCACHED: `127.0.0.1:${memcached.port}` })
  if (keepsSessions(peer)) {
    await checkSessions(server.url, () => memcached.text('flush_all')).catch((error: unknown) => {
      throw new Error(`${peer.name} keeps no sessions`, { cause: error })
    })
  }
  return { peer, server, cookieFile: join(folder, peer.name) }
}

/** Without a session, all routes are the same. */
function concerns({ sessions }: Peer, { path }: Scenario): boolean {
  return sessions !== 'none' || path === paths.untouched
}

function keepsSessions({ sessions }: Peer): boolean {
  return sessions === 'peer' || sessions === 'holdfast'
}

async function signInVisitors(one: Running): Promise<void> {
  const { peer, server, cookieFile } = one
  const cookies: string[] = []
  for (let visitor = 0; visitor < VISITORS; visitor++) {
    const { cookie } = await signIn(server.url)
    cookies.push(peer.sessions === 'none' ? `session=${visitor.toString().padStart(43, '0')}` : cookie)
  }
  one.cookie = cookies[0]!
  await writeFile(cookieFile, cookies.join('\n'))
}

async function checkAfterwards({ peer, server, cookie }: Running): Promise<void> {
  if (!keepsSessions(peer)) return
  await checkSignedIn(server.url, cookie!).catch((error: unknown) => {
    throw new Error(`${peer.name} has forgotten its visitors`, { cause: error })
  })
}

async function measureOnce(
  { server, cookieFile }: Running,
  { path, sendsCookie }: Scenario,
  memcached: Memcached,
  leastRequests: number,
): Promise<Round> {
  const before: Record<string, number> = { cpu: await server.cpu(), ...(await statsOf(memcached)) }
  const { requests, seconds } = await load({
    url: server.url,
    path,
    cookieFile: sendsCookie ? cookieFile : undefined,
    leastRequests,
  })
  const after: Record<string, number> = { cpu: await server.cpu(), ...(await statsOf(memcached)) }
  const spent = (names: readonly string[]) =>
    names.reduce((sum, name) => sum + after[name]! - before[name]!, 0)
  return {
    requests,
    requestsPerSecond: requests / seconds,
    cpu: spent(['cpu']) / requests,
    commands: spent(COMMANDS) / requests,
    // Less the one that asked for these figures.
    connections: (spent(['total_connections']) - 1) / requests,
  }
}

/** A get-and-touch counts as a touch. */
const COMMANDS = ['cmd_get', 'cmd_touch', 'cmd_set', 'delete_hits', 'delete_misses']

async function statsOf(memcached: Memcached): Promise<Record<string, number>> {
  const lines = (await memcached.text('stats')).matchAll(/^STAT (\w+) ([\d.]+)\r$/gm)
  return Object.fromEntries([...lines].map(([, name, value]) => [name, Number(value)]))
}
