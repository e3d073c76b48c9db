import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { figureOf, type Figure } from '../lib/statistics.ts'
import { keepers, type Keeper } from './keepers.ts'
import { concerns, type Group, type Peer } from './peers.ts'
import type { Scenario } from './scenarios.ts'
import { Subject, tryOut, type Stretch } from './subject.ts'

/** One second of one peer under one scenario, in {@link STRETCHES}. */
export interface Round {
  requests: number
  requestsPerSecond: number
  /** Microseconds of the server's CPU, a request. */
  cpu: number
  /** Of memcached or Redis, a request. */
  commands: number
  /** To it, a request. */
  connections: number
}

/** A peer under one scenario: its rounds in order, so that those of two peers can be compared pair by pair. */
export interface Measurement {
  peer: string
  scenario: Scenario['name']
  rounds: Round[]
}

/** Until the runtime has compiled what it will: after one second a ratio is still a tenth worse. */
const WARM_UP_SECONDS = 2
/**
 * For as long again, with connections of their own: when these close, V8 throws away what it had compiled of the server's
 * sockets and compiles it anew. After 4 or 12 seconds at one go the first three stretches cost up to twice what later ones did.
 */
const WARM_UP_STRETCHES = 10
/**
 * In so many turns a round goes through the peers: a neighbour who has the machine for some seconds then takes as much of
 * each one's round, and not the whole second of one.
 */
export const STRETCHES = 5

/**
 * Measures the peers of a group, scenario by scenario: each round goes {@link STRETCHES} times through all of them,
 * every second time backwards, so that what the machine does meanwhile meets them all alike. No round is left out.
 */
export async function measure(
  { peers, scenarios: names }: Group,
  offered: readonly Scenario[],
  rounds: number,
  onMeasured: (done: string) => void,
): Promise<Measurement[]> {
  const scenarios = offered.filter(({ name }) => names.includes(name))
  const kept = new Map<string, Keeper>()
  for (const { keeper = 'memcached' } of peers) {
    if (!kept.has(keeper)) kept.set(keeper, await keepers[keeper]())
  }
  const keeperOf = ({ keeper = 'memcached' }: Peer) => kept.get(keeper)!
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
  const subjects: Subject[] = []
  const measurements: Measurement[] = []
  try {
    for (const peer of peers) await tryOut(peer, keeperOf(peer))
    for (const peer of peers) subjects.push(await Subject.start(peer, keeperOf(peer), folder))
    for (const scenario of scenarios) {
      const concerned = subjects
        .filter(({ peer }) => concerns(peer, scenario))
        .map((subject) => ({
          subject,
          stretches: [] as Stretch[],
          measurement: { peer: subject.peer.name, scenario: scenario.name, rounds: [] as Round[] },
        }))
      for (const { subject } of concerned) {
        if (scenario.visitors) await subject.signIn(scenario.visitors)
      }
      for (const { subject } of concerned) {
        await subject.load(scenario, WARM_UP_SECONDS)
        for (let stretch = 0; stretch < WARM_UP_STRETCHES; stretch++) {
          await subject.load(scenario, 1 / STRETCHES)
        }
      }
      for (let round = 0; round < rounds; round++) {
        for (let turn = 0; turn < STRETCHES; turn++) {
          for (const { subject, stretches } of (round + turn) % 2 ? concerned.toReversed() : concerned) {
            stretches.push(await subject.measure(scenario, 1 / STRETCHES))
          }
        }
        for (const { measurement, stretches } of concerned) {
          measurement.rounds.push(roundOf(stretches.splice(0)))
        }
      }
      measurements.push(...concerned.map(({ measurement }) => measurement))
      onMeasured(`${scenario.name}: ${concerned.map(({ subject }) => subject.peer.name).join(', ')}`)
    }
    for (const subject of subjects) await subject.check()
    for (const [name, keeper] of kept) {
      const { evictions } = await keeper.figures()
      if (evictions > 0) throw new Error(`${name} evicted ${evictions} records`)
    }
    return measurements
  } finally {
    await Promise.all(subjects.map((subject) => subject.stop()))
    await Promise.all([...kept.values()].map((keeper) => keeper.stop()))
    await rm(folder, { recursive: true })
  }
}

function roundOf(stretches: readonly Stretch[]): Round {
  const total = (name: keyof Stretch) => stretches.reduce((sum, stretch) => sum + stretch[name], 0)
  const requests = total('requests')
  return {
    requests,
    requestsPerSecond: requests / total('seconds'),
    cpu: total('cpu') / requests,
    commands: total('commands') / requests,
    connections: total('connections') / requests,
  }
}

/** One figure of a measurement, over its rounds. */
export function figure({ rounds }: Measurement, name: keyof Round): Figure {
  return figureOf(rounds.map((round) => round[name]))
}
