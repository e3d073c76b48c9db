import { IN_FLIGHT } from '../lib/load.ts'
import { ratioText, type Verdict } from '../lib/report.ts'
import { figureOf, type Figure } from '../lib/statistics.ts'
import { STRETCHES, type Measurement, type Round } from './measure.ts'
import type { Peer } from './peers.ts'

/** A ratio of CPU, and what it may be at most. Without any limit it is told, and not judged. */
interface Target {
  scenario: Measurement['scenario']
  /** A peer's name. */
  ours: string
  /** A peer's name, or the one that keeps sessions with the least CPU. */
  theirs: string
  stretch?: number
  asked?: number
  /** Beyond it the run fails. */
  must?: number
}

const LEANEST = 'the leanest peer'
const hono = { ours: 'holdfast-hono' }
const koa = { ours: 'holdfast-koa' }
const express = { ours: 'holdfast-express' }
const expressRedis = { ours: 'holdfast-express-redis' }
const itself = { ours: 'holdfast-hono-again', theirs: 'holdfast-hono' }

const cpuTargets: readonly Target[] = [
  { scenario: 'anon', ...hono, theirs: 'hono-nothing', stretch: 1.03, asked: 1.05 },
  { scenario: 'cookie', ...hono, theirs: 'hono-nothing', stretch: 1.03, asked: 1.05 },
  { scenario: 'read', ...hono, theirs: 'hono-floor', stretch: 1.25, asked: 1.4, must: 1.6 },
  { scenario: 'read', ...hono, theirs: LEANEST, stretch: 0.4, asked: 0.5, must: 1 },
  { scenario: 'write', ...hono, theirs: 'hono-floor', stretch: 1.7, asked: 2, must: 2.4 },
  { scenario: 'write', ...hono, theirs: LEANEST, stretch: 0.5, asked: 0.65, must: 1 },
  { scenario: 'cold', ...hono, theirs: 'hono-floor', stretch: 1.6, asked: 2 },
  { scenario: 'cold', ...hono, theirs: LEANEST, asked: 0.75 },
  { scenario: 'signed-in', ...hono, theirs: 'hono-floor', stretch: 1.5, asked: 1.8 },
  { scenario: 'read', ...koa, theirs: 'hono-floor', must: 1.6 },
  { scenario: 'read', ...koa, theirs: 'koa-session', stretch: 0.45, asked: 0.55 },
  { scenario: 'read', ...koa, theirs: LEANEST, must: 1 },
  { scenario: 'write', ...koa, theirs: 'hono-floor', must: 2.4 },
  { scenario: 'write', ...koa, theirs: 'koa-session', stretch: 0.5, asked: 0.7 },
  { scenario: 'write', ...koa, theirs: LEANEST, must: 1 },
  { scenario: 'anon', ...express, theirs: 'express-bare', stretch: 1.03, asked: 1.05 },
  { scenario: 'cookie', ...express, theirs: 'express-bare', stretch: 1.03, asked: 1.05 },
  { scenario: 'read', ...express, theirs: 'express-session', stretch: 0.6, asked: 0.75 },
  { scenario: 'write', ...express, theirs: 'express-session', stretch: 0.6, asked: 0.75 },
  { scenario: 'read', ...expressRedis, theirs: 'express-session-redis' },
  { scenario: 'write', ...expressRedis, theirs: 'express-session-redis' },
  { scenario: 'cold', ...expressRedis, theirs: 'express-session-redis' },
  { scenario: 'read', ...expressRedis, theirs: 'holdfast-express' },
  { scenario: 'write', ...expressRedis, theirs: 'holdfast-express' },
  { scenario: 'anon', ...itself },
  { scenario: 'cookie', ...itself },
  { scenario: 'read', ...itself },
  { scenario: 'write', ...itself },
  { scenario: 'cold', ...itself },
  { scenario: 'signed-in', ...itself },
]

/** Of memcached or Redis, a request, exactly, on Node. */
const commandTargets = { anon: 0, cookie: 0, read: 1, write: 2, cold: 1, 'signed-in': 2 } as const

/**
 * Judges the targets whose peers were measured. A ratio is the median of the rounds' own ratios: the two sides of each
 * were measured within seconds of one another.
 */
export function judge(peers: readonly Peer[], measurements: readonly Measurement[]): Verdict[] {
  const find = (peer: string | undefined, scenario: string) =>
    measurements.find((measured) => measured.peer === peer && measured.scenario === scenario)
  const verdicts: Verdict[] = []
  for (const target of cpuTargets) {
    const { scenario, ours, theirs } = target
    const rival = theirs === LEANEST ? leanest(peers, measurements, scenario) : theirs
    const [mine, other] = [find(ours, scenario), find(rival, scenario)]
    if (!mine || !other) continue
    const ratio = figureOf(mine.rounds.map(({ cpu }, round) => cpu / other.rounds[round]!.cpu))
    verdicts.push({
      target: `${scenario}: CPU of ${ours} / ${rival}${theirs === LEANEST ? ' (the leanest peer)' : ''}`,
      asked: askedText(target),
      measured: ratioText(ratio),
      outcome: outcomeOf(target, ratio),
    })
  }
  for (const { ours } of [hono, koa, express, expressRedis]) {
    for (const [scenario, commands] of Object.entries(commandTargets)) {
      const mine = find(ours, scenario)
      if (!mine) continue
      verdicts.push({
        target: `${scenario}: commands of ${ours}`,
        asked: `must ${commands}`,
        measured: figureOf(mine.rounds.map((round) => round.commands)).median.toFixed(2),
        outcome: mine.rounds.every((round) => isExact(round, commands)) ? 'holds' : 'FAILS',
      })
    }
  }
  return verdicts
}

function askedText({ stretch, asked, must }: Target): string {
  const limits = { '': asked, 'stretch ': stretch, 'must ': must }
  const texts = Object.entries(limits).flatMap(([name, limit]) =>
    limit === undefined ? [] : [`${name}≤ ${limit.toFixed(2)}`],
  )
  return texts.join(', ') || 'told'
}

function outcomeOf({ stretch, asked, must }: Target, { median }: Figure): Verdict['outcome'] {
  if (median <= (stretch ?? 0)) return 'stretch'
  if (median <= (asked ?? must ?? 0)) return 'holds'
  if (median > (must ?? Infinity)) return 'FAILS'
  return asked === undefined ? 'not judged' : 'falls short'
}

/** What is in flight when a stretch ends is counted by the store's server, and not by wrk. */
function isExact({ commands, requests }: Round, asked: number): boolean {
  const more = Math.round((commands - asked) * requests)
  return more >= 0 && more <= asked * STRETCHES * IN_FLIGHT
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
