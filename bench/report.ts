import type { ClientMeasurement } from './measure-clients.ts'
import type { Curve } from './measure-growth.ts'
import { figure, type Measurement } from './measure.ts'
import type { Peer } from './peers.ts'
import type { Scenario } from './scenarios.ts'
import { figureOf, type Figure } from './statistics.ts'
import { table } from './table.ts'
import type { Verdict } from './targets.ts'

/** A row for each peer. */
export function serverTable(
  peers: readonly Peer[],
  scenarios: readonly Scenario[],
  measurements: readonly Measurement[],
): string {
  const cell = (measurement: Measurement | undefined) => {
    if (!measurement) return ''
    const connections = figure(measurement, 'connections').median
    return [
      withSpread(figure(measurement, 'cpu'), (cpu) => cpu.toFixed(1)),
      thousands(figure(measurement, 'requestsPerSecond').median),
      `${figure(measurement, 'commands').median.toFixed(1)}${connections < 0.1 ? '' : ` and ${connections.toFixed(1)} connections`}`,
    ].join(' · ')
  }
  const rows = peers.map(({ name, title }) => [
    title,
    ...scenarios.map((scenario) =>
      cell(measurements.find((one) => one.peer === name && one.scenario === scenario.name)),
    ),
  ])
  const meaning = scenarios.map(({ name, meaning }) => `${name}: ${meaning}`).join('; ')
  return `Server CPU in µs a request, median of the rounds (least–most) · requests/s · memcached commands a request\n${meaning}\n\n${table(
    ['peer', ...scenarios.map(({ name }) => name)],
    rows,
  )}`
}

/** A row for each client. */
export function clientTable(measurements: readonly ClientMeasurement[]): string {
  return table(
    ['client alone, 64 in flight', 'reads/s', 'CPU in µs a read'],
    measurements.map(({ client, rounds }) => [
      client,
      withSpread(figureOf(rounds.map((round) => round.perSecond)), thousands),
      withSpread(figureOf(rounds.map((round) => round.cpu)), (cpu) => cpu.toFixed(1)),
    ]),
  )
}

/** A row for each point. */
export function growthTable({ name, points }: Curve): string {
  const cpu = (figure: Figure) => withSpread(figure, (value) => value.toFixed(1))
  return table(
    [name, 'read, CPU in µs', 'write, CPU in µs'],
    points.map(({ at, read, write }) => [String(at), cpu(read), cpu(write)]),
  )
}

export function verdictTable(verdicts: readonly Verdict[]): string {
  return table(
    ['target', 'asked', 'measured', 'outcome'],
    verdicts.map(({ target, asked, measured, outcome }) => [target, asked, measured, outcome]),
  )
}

function withSpread({ median, min, max }: Figure, format: (value: number) => string): string {
  return `${format(median)} (${format(min)}–${format(max)})`
}

function thousands(amount: number): string {
  return (Math.round(amount / 100) * 100).toLocaleString('en').replaceAll(',', ' ')
}
