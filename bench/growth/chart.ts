import { drawing, element, text } from '../lib/svg.ts'
import type { Curve } from './measure-growth.ts'

const PANEL = { width: 250, height: 190 }
const PLOT = { left: 44, top: 34, width: 186, height: 110 }
const HEADER = 56

/** CPU of a read and of a write, a panel for each thing that grows, from the least to the most of it, in powers. */
export function growthChart(curves: readonly Curve[], caption: string): string {
  const parts = [
    text(12, 24, 'Server CPU for one request of Hono + holdfast, microseconds', { class: 'title' }),
    text(12, 42, `${caption}; solid: read, dashed: write`, { class: 'faint' }),
  ]
  for (const [index, curve] of curves.entries()) {
    const place = `translate(${index * PANEL.width} ${HEADER})`
    parts.push(element('g', { transform: place }, panel(curve).join('\n')))
  }
  const [width, height] = [curves.length * PANEL.width, HEADER + PANEL.height]
  return drawing('Server CPU for one request, against what grows', width, height, parts)
}

function panel({ name, points }: Curve): string[] {
  const most = Math.max(...points.flatMap(({ read, write }) => [read.median, write.median]))
  const step = niceStep(most / 3)
  const top = Math.ceil(most / step) * step
  const [first, last] = [Math.log(points[0]!.at), Math.log(points.at(-1)!.at)]
  const x = (at: number) => PLOT.left + ((Math.log(at) - first) / (last - first)) * PLOT.width
  const y = (cpu: number) => PLOT.top + (1 - cpu / top) * PLOT.height
  const parts = [text(PLOT.left, 18, name, { class: 'title' })]
  for (let cpu = 0; cpu <= top; cpu += step) {
    const rule = { x1: PLOT.left, x2: PLOT.left + PLOT.width, y1: y(cpu), y2: y(cpu), class: 'rule' }
    parts.push(element('line', rule), text(PLOT.left - 6, y(cpu) + 4, String(cpu), { class: 'faint end' }))
  }
  for (const { at } of points)
    parts.push(text(x(at), PLOT.top + PLOT.height + 16, short(at), { class: 'faint middle' }))
  for (const scenario of ['read', 'write'] as const) {
    const line = points.map((point) => `${x(point.at).toFixed(1)},${y(point[scenario].median).toFixed(1)}`)
    const dashes = scenario === 'write' ? { 'stroke-dasharray': '5 4' } : {}
    parts.push(element('polyline', { points: line.join(' '), class: 'ours line', ...dashes }))
  }
  return parts
}

/** 1, 2 or 5 times a power of ten. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least)!
}

function short(at: number): string {
  return at >= 1000 ? `${at / 1000} k` : String(at)
}
