import { withSpread } from '../lib/report.ts'
import type { Figure } from '../lib/statistics.ts'
import { table } from '../lib/table.ts'
import type { Curve } from './measure-growth.ts'

/** A row for each point. */
export function growthTable({ name, points }: Curve): string {
  const cpu = (figure: Figure) => withSpread(figure, (value) => value.toFixed(1))
  return table(
    [name, 'read, CPU in µs', 'write, CPU in µs'],
    points.map(({ at, read, write }) => [String(at), cpu(read), cpu(write)]),
  )
}
