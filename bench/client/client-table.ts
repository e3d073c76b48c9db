import { thousands, withSpread } from '../lib/report.ts'
import { figureOf } from '../lib/statistics.ts'
import { table } from '../lib/table.ts'
import type { ClientMeasurement } from './measure-clients.ts'

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
