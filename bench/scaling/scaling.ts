// How many servers do how many sessions need? The tables of docs/scaling.md: npx tsx bench/scaling/scaling.ts
import { createHash } from 'node:crypto'
import { rendezvous } from '../../src/core/stores/memcached/placement.ts'
import { count, print } from './print.ts'
import { fillUp, measureSize, measureThroughput, measureWire } from './session-cost.ts'
import type { FullServer, SessionSize, Throughput, Wire, WireCosts } from './session-cost.ts'

/** What no run on one machine can measure; change it to plan for another application. */
const assumed = {
  /** Of one live session at the peak; requests that touch the session, and no others. */
  requestsPerMinute: 0.2,
  shareOfWrites: 0.2,
  /** Of `-m`, at most in use. */
  fill: 0.7,
  /** MiB, as `-m` takes it; on a machine of 16 GB. */
  largestServer: 15_000,
  operationsPerSecond: 100_000,
  linkBitsPerSecond: 1e9,
  linkFill: 0.5,
  /** Ethernet, IP and TCP, for each operation and each way: nothing shares a packet. */
  frameBytes: 90,
  /** The others can take over what a lost one held. */
  fewestServers: 4,
}

const MIB = 2 ** 20
const FEW_KEYS = 100_000
const MOST_SERVERS = 64
const JSON_BYTES = 260
const SESSIONS = 20_000

async function main(): Promise<void> {
  const keys = Array.from({ length: 1_000_000 }, (_, index) => storeKey(index))
  const spreads = printPlacement(keys)
  printMoves(keys.slice(0, FEW_KEYS))

  const sizes: [SessionSize, SessionSize][] = []
  for (const bytes of [100, JSON_BYTES, 1_000, 4_000]) {
    const sessions = bytes === JSON_BYTES ? SESSIONS : SESSIONS / 4
    sizes.push([await measureSize(bytes, sessions, 1.25), await measureSize(bytes, sessions, 1.1)])
  }
  printSizes(sizes)
  printFullServer(await fillUp(JSON_BYTES))
  const wire = await measureWire(JSON_BYTES, SESSIONS)
  printWire(wire)
  const typical = sizes[1]![0]
  const throughputs: Throughput[] = []
  for (const inFlight of [1, 8, 64]) throughputs.push(await measureThroughput(typical.record, inFlight))
  printThroughput(throughputs)

  printAssumptions()
  printPlan(typical.chunk, wire, spreads)
}

/** As the session manager makes them, but the same in every run. */
function storeKey(index: number): string {
  return `session:${createHash('sha256').update(String(index)).digest('base64url')}`
}

function serverList(servers: number): string[] {
  return Array.from({ length: servers }, (_, index) => `sessions-${index + 1}.internal:11200`)
}

function holders(keys: readonly string[], servers: number): Uint8Array {
  return Uint8Array.from(keys, rendezvous(serverList(servers)))
}

/** What the fullest of so many servers holds, as a multiple of the mean. */
function spreadOver(keys: readonly string[], servers: number): number {
  const held = new Uint32Array(servers)
  for (const server of holders(keys, servers)) held[server]!++
  return (Math.max(...held) * servers) / keys.length
}

/** Gives back the spread of 100 000 keys, by number of servers. */
function printPlacement(keys: readonly string[]): number[] {
  const few = keys.slice(0, FEW_KEYS)
  const spreads = Array.from({ length: MOST_SERVERS + 1 }, (_, servers) =>
    servers === 0 ? 0 : spreadOver(few, servers),
  )
  print(
    'Placement (simulated)',
    [
      'servers',
      'fullest / mean, 100 000 keys',
      '1 000 000 keys',
      'lost with one, at most',
      'CPU a placement',
    ],
    [1, 2, 4, 6, 10, 16, 32, 64].map((servers) => [
      String(servers),
      spreads[servers]!.toFixed(3),
      spreadOver(keys, servers).toFixed(3),
      percent(spreads[servers]! / servers, 1),
      `${placementMicroseconds(few, servers).toFixed(2)} µs`,
    ]),
  )
  return spreads
}

/** CPU time, not wall time, and the least of five rounds: other processes share the machine. */
function placementMicroseconds(keys: readonly string[], servers: number): number {
  const place = rendezvous(serverList(servers))
  const rounds = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage()
    for (const key of keys) place(key)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / keys.length
  })
  return Math.min(...rounds)
}

function printMoves(keys: readonly string[]): void {
  const paths = [
    [1, 2],
    [4, 5],
    [10, 11],
    [4, 8],
    [4, 5, 6, 7, 8],
  ]
  const rows = paths.map((path) => {
    const sum = { signedOut: 0, fair: 0, elsewhere: 0 }
    for (const [step, after] of path.slice(1).entries()) {
      const before = path[step]!
      const { toNew, elsewhere } = moves(keys, before, after)
      sum.signedOut += (toNew + elsewhere) / keys.length
      sum.fair += (after - before) / after
      sum.elsewhere += elsewhere
    }
    return [path.join(' → '), percent(sum.signedOut, 1), percent(sum.fair, 1), count(sum.elsewhere)]
  })
  print(
    'A longer list (simulated)',
    ['servers', 'signed out', 'fair share', 'keys moved between old servers'],
    rows,
  )
}

function moves(keys: readonly string[], before: number, after: number): { toNew: number; elsewhere: number } {
  const old = holders(keys, before)
  const moved = holders(keys, after).filter((server, index) => server !== old[index])
  const toNew = moved.filter((server) => server >= before).length
  return { toNew, elsewhere: moved.length - toNew }
}

function printSizes(sizes: [SessionSize, SessionSize][]): void {
  print(
    'Memory of a session, in bytes (measured)',
    ['JSON', 'key', 'sealed record', 'item', 'item − key − record', 'chunk', 'chunk with `-f 1.1`'],
    sizes.map(([size, finer]) => {
      const { json, key, record, item, chunk } = size
      return [json, key, record, item, item - key - record, chunk, finer.chunk].map(count)
    }),
  )
}

function printFullServer({ memory, sessions, bytes }: FullServer): void {
  print(
    'A full server, `-m 64` (measured)',
    ['sessions at the first eviction', '`-m` a session', '`bytes` / `limit_maxbytes` of `stats`'],
    [[count(sessions), `${count(memory / sessions)} bytes`, percent(bytes / memory)]],
  )
}

function printWire({ read, write }: WireCosts): void {
  const row = (name: string, { operations, toServer, fromServer }: Wire) => [
    name,
    ...[operations, toServer, fromServer].map(count),
  ]
  print(
    'Bytes on the wire, without frames (measured)',
    ['a request that', 'operations', 'bytes to memcached', 'bytes from it'],
    [row('reads', read), row('reads and writes', write)],
  )
}

function printThroughput(throughputs: Throughput[]): void {
  print(
    'Get-and-touch over loopback, memcached with `-t 1` (measured)',
    ['in flight', 'one client process', 'CPU of memcached, an operation', 'so one thread at most'],
    throughputs.map(({ inFlight, perSecond, serverMicroseconds }) => [
      String(inFlight),
      `${thousands(perSecond)}/s`,
      `${serverMicroseconds.toFixed(1)} µs`,
      `${thousands(1e6 / serverMicroseconds)}/s`,
    ]),
  )
}

function printAssumptions(): void {
  print(
    'Assumptions',
    ['assumed', 'value'],
    [
      ['requests of a live session that touch it, at the peak', `${assumed.requestsPerMinute} a minute`],
      ['of these, requests that change it', percent(assumed.shareOfWrites)],
      ['memory in use, at most', `${percent(assumed.fill)} of \`-m\``],
      ['largest server', `\`-m ${assumed.largestServer}\`, on a machine of 16 GB`],
      ['operations a server', `${count(assumed.operationsPerSecond)}/s`],
      ['link of a server', `${assumed.linkBitsPerSecond / 1e9} Gbit/s, ${percent(assumed.linkFill)} used`],
      ['frames (Ethernet, IP, TCP)', `${assumed.frameBytes} bytes an operation, each way`],
      ['servers, at least', String(assumed.fewestServers)],
    ],
  )
}

function printPlan(chunk: number, wire: WireCosts, spreads: readonly number[]): void {
  const plans = [1e6, 1e7, 1e8].map((sessions) => planFor(sessions, chunk, wire, spreads))
  const rows = Object.keys(plans[0]!).map((name) => [name].concat(plans.map((plan) => plan[name]!)))
  print('The plan (computed)', ['live sessions', '1 million', '10 million', '100 million'], rows)
}

function planFor(
  sessions: number,
  chunk: number,
  wire: WireCosts,
  spreads: readonly number[],
): Record<string, string> {
  const { requestsPerMinute, shareOfWrites, fill, operationsPerSecond, frameBytes } = assumed
  const perRequest = (amount: (wire: Wire) => number) =>
    amount(wire.read) * (1 - shareOfWrites) + amount(wire.write) * shareOfWrites
  const requests = (sessions * requestsPerMinute) / 60
  const operations = requests * perRequest((wire) => wire.operations)
  const memory = sessions * chunk
  const bits = requests * perRequest((wire) => wire.fromServer + wire.operations * frameBytes) * 8

  const byMemory = serversFor(memory, assumed.largestServer * MIB * fill, spreads)
  const byOperations = serversFor(operations, operationsPerSecond, spreads)
  const byNetwork = serversFor(bits, assumed.linkBitsPerSecond * assumed.linkFill, spreads)
  const servers = Math.max(byMemory, byOperations, byNetwork, assumed.fewestServers)
  const fullest = spreads[servers]! / servers
  const mebibytes = roundUp((memory * fullest) / fill / MIB)
  const fillWithoutOne = (memory * spreads[servers - 1]!) / (servers - 1) / (mebibytes * MIB)
  const busier = operations / requestsPerMinute
  return {
    'requests a second': count(requests),
    'operations a second': count(operations),
    'memory of the sessions': `${(memory / 1e9).toFixed(1)} GB`,
    'servers by memory, operations, network': `${byMemory}, ${byOperations}, ${byNetwork}`,
    '**servers to run**': `**${servers} × \`-m ${mebibytes}\`**`,
    'network, out of the fullest': `${count((bits * fullest) / 1e6)} Mbit/s`,
    'one down: sessions behind it': count(sessions / servers),
    'one down: requests with 503': `${count(requests / servers)}/s`,
    'one down: new sessions refused': percent(1 / servers ** 2, 1),
    'one taken out: the others fill to': percent(fillWithoutOne),
    'one added: signed out': percent(1 / (servers + 1)),
    'servers by operations, at 1 request a minute': count(serversFor(busier, operationsPerSecond, spreads)),
  }
}

/** The fewest of which even the fullest stays within its share. */
function serversFor(demand: number, capacity: number, spreads: readonly number[]): number {
  const servers = spreads.findIndex((spread, servers) => servers > 0 && demand * spread <= servers * capacity)
  if (servers === -1) throw new RangeError(`more than ${MOST_SERVERS} servers: beyond what was simulated`)
  return servers
}

/** To two digits: nobody starts memcached with `-m 13927`. */
function roundUp(mebibytes: number): number {
  const step = 10 ** (Math.floor(Math.log10(mebibytes)) - 1)
  return Math.ceil(mebibytes / step) * step
}

const thousands = (amount: number): string => count(Math.round(amount / 1000) * 1000)

function percent(share: number, digits = 0): string {
  return `${(share * 100).toFixed(digits)} %`
}

await main()
