import { drawing, element, text } from '../lib/svg.ts'
import { figure, type Measurement } from './measure.ts'
import type { Peer } from './peers.ts'
import type { Scenario } from './scenarios.ts'

const NAMES_WIDTH = 320
const COLUMN_WIDTH = 190
const BAR_WIDTH = 130
const ROW_HEIGHT = 22
const TOP = 76

/** CPU of a request: a row for each peer, a column of bars for each scenario, on a scale of its own. */
export function compareChart(
  peers: readonly Peer[],
  scenarios: readonly Scenario[],
  measurements: readonly Measurement[],
  caption: string,
): string {
  const width = NAMES_WIDTH + scenarios.length * COLUMN_WIDTH
  const height = TOP + peers.length * ROW_HEIGHT + 16
  const rowAt = (row: number) => TOP + row * ROW_HEIGHT
  const parts = [
    text(12, 24, 'Server CPU for one request, microseconds (less is better)', { class: 'title' }),
    text(12, 42, caption, { class: 'faint' }),
    ...peers.map(({ title }, row) => text(12, rowAt(row) + 12, title)),
  ]
  for (const [column, scenario] of scenarios.entries()) {
    const x = NAMES_WIDTH + column * COLUMN_WIDTH
    const cells = peers.map(({ name }) =>
      measurements.find(({ peer, scenario: of }) => peer === name && of === scenario.name),
    )
    const cpu = cells.map((cell) => (cell ? figure(cell, 'cpu').median : 0))
    const scale = BAR_WIDTH / Math.max(...cpu)
    parts.push(text(x, TOP - 10, scenario.name, { class: 'title' }))
    for (const [row, value] of cpu.entries()) {
      if (value === 0) continue
      const bar = {
        x,
        y: rowAt(row),
        width: value * scale,
        height: 15,
        rx: 2,
        class: colours[peers[row]!.sessions],
      }
      parts.push(element('rect', bar), text(x + value * scale + 6, rowAt(row) + 12, value.toFixed(1)))
    }
  }
  return drawing('Server CPU for one request, by peer and scenario', width, height, parts)
}

const colours = { none: 'bare', raw: 'bare', peer: 'peer', holdfast: 'ours' } as const
