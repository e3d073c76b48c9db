import { IN_FLIGHT } from '../lib/load.ts'
import { ratioText, type Verdict } from '../lib/report.ts'
import { figureOf } from '../lib/statistics.ts'
import type { Measurement, Round } from './measure.ts'
import type { Peer } from './peers.ts'

/** A ratio of CPU that is asked for, and one that is wished for. */
interface Target {
  scenario: Measurement['scenario']
  /** A peer's name. */
  ours: string
  /** A peer's name, or the one that keeps sessions with the least CPU. */
  theirs: string
  atMost: number
  stretch: number
}

/** Of memcached, a request, exactly. */
interface CommandTarget {
  scenario: Measurement['scenario']
  ours: string
  commands: number
}

const LEANEST = 'the leanest peer'

const cpuTargets: readonly Target[] = [
  { scenario: 'anon', ours: 'holdfast-hono', theirs: 'hono-nothing', atMost: 1.1, stretch: 1.05 },
  { scenario: 'cookie', ours: 'holdfast-hono', theirs: 'hono-nothing', atMost: 1.1, stretch: 1.05 },
  { scenario: 'read', ours: 'holdfast-hono', theirs: 'hono-floor', atMost: 1.6, stretch: 1.3 },
  { scenario: 'read', ours: 'holdfast-hono', theirs: LEANEST, atMost: 0.55, stretch: 0.45 },
  { scenario: 'write', ours: 'holdfast-hono', theirs: 'hono-floor', atMost: 2, stretch: 1.6 },
  { scenario: 'write', ours: 'holdfast-hono', theirs: LEANEST, atMost: 0.6, stretch: 0.5 },
  { scenario: 'read', ours: 'holdfast-koa', theirs: 'koa-session', atMost: 0.6, stretch: 0.5 },
  { scenario: 'write', ours: 'holdfast-koa', theirs: 'koa-session', atMost: 0.65, stretch: 0.5 },
]

const commandTargets: readonly CommandTarget[] = ['holdfast-hono', 'holdfast-koa'].flatMap((ours) => [
  { scenario: 'anon', ours, commands: 0 } as const,
  { scenario: 'cookie', ours, commands: 0 } as const,
  { scenario: 'read', ours, commands: 1 } as const,
  { scenario: 'write', ours, commands: 2 } as const,
])

/**
 * Judges the targets whose peers were measured. A ratio is the median of the rounds' own ratios: the two sides of each
 * were measured within seconds of one another.
 */
export function judge(peers: readonly Peer[], measurements: readonly Measurement[]): Verdict[] {
  const find = (peer: string | undefined, scenario: string) =>
    measurements.find((measured) => measured.peer === peer && measured.scenario === scenario)
  const verdicts: Verdict[] = []
  for (const { scenario, ours, theirs, atMost, stretch } of cpuTargets) {
    const rival = theirs === LEANEST ? leanest(peers, measurements, scenario) : theirs
    const [mine, other] = [find(ours, scenario), find(rival, scenario)]
    if (!mine || !other) continue
    const ratio = figureOf(mine.rounds.map(({ cpu }, round) => cpu / other.rounds[round]!.cpu))
    verdicts.push({
      target: `${scenario}: CPU of ${ours} / ${rival}${theirs === LEANEST ? ' (the leanest peer)' : ''}`,
      asked: `≤ ${atMost.toFixed(2)} (stretch ${stretch.toFixed(2)})`,
      measured: ratioText(ratio),
      outcome: ratio.median <= stretch ? 'stretch' : ratio.median <= atMost ? 'holds' : 'falls short',
    })
  }
  for (const { scenario, ours, commands } of commandTargets) {
    const mine = find(ours, scenario)
    if (!mine) continue
    verdicts.push({
      target: `${scenario}: memcached commands of ${ours}`,
      asked: String(commands),
      measured: figureOf(mine.rounds.map((round) => round.commands)).median.toFixed(2),
      outcome: mine.rounds.every((round) => isExact(round, commands)) ? 'holds' : 'falls short',
    })
  }
  return verdicts
}

/** What is in flight when a step of a round ends, memcached may have counted, and wrk has not. */
function isExact({ commands, requests, requestsPerSecond }: Round, asked: number): boolean {
  const steps = Math.ceil(requests / requestsPerSecond)
  return Math.abs(commands - asked) * requests <= asked * steps * IN_FLIGHT
}

function leanest(
  peers: readonly Peer[],
  measurements: readonly Measurement[],
  scenario: string,
): string | undefined {
  const rivals = measurements.filter(
    (measured) =>
      measured.scenario === scenario && peers.find(({ name }) => name === measured.peer)?.sessions === 'peer',
  )
  const cpu = ({ rounds }: Measurement) => figureOf(rounds.map((round) => round.cpu)).median
  return rivals.toSorted((left, right) => cpu(left) - cpu(right))[0]?.peer
}
