import { thousands, withSpread } from '../lib/report.ts'
import { table } from '../lib/table.ts'
import { figure, type Measurement } from './measure.ts'
import type { Peer } from './peers.ts'
import type { Scenario } from './scenarios.ts'

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
  return `Server CPU in µs a request, median of the rounds (least–most) · requests/s · commands to memcached or Redis a request\n${meaning}\n\n${table(
    ['peer', ...scenarios.map(({ name }) => name)],
    rows,
  )}`
}
