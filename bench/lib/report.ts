import type { Figure } from './statistics.ts'
import { table } from './table.ts'

/** Whether what was asked for was measured. */
export interface Verdict {
  target: string
  asked: string
  measured: string
  outcome: 'stretch' | 'holds' | 'falls short' | 'FAILS' | 'not judged'
}

export function verdictTable(verdicts: readonly Verdict[]): string {
  return table(
    ['target', 'asked', 'measured', 'outcome'],
    verdicts.map(({ target, asked, measured, outcome }) => [target, asked, measured, outcome]),
  )
}

/** The median (least–most). */
export function withSpread({ median, min, max }: Figure, format: (value: number) => string): string {
  return `${format(median)} (${format(min)}–${format(max)})`
}

/** A ratio with its spread. */
export function ratioText(ratio: Figure): string {
  return withSpread(ratio, (value) => value.toFixed(2))
}

/** Rounded to hundreds. */
export function thousands(amount: number): string {
  return (Math.round(amount / 100) * 100).toLocaleString('en').replaceAll(',', ' ')
}
