/** Of several rounds. */
export interface Figure {
  median: number
  min: number
  max: number
}

export function figureOf(values: readonly number[]): Figure {
  const sorted = values.toSorted((left, right) => left - right)
  const middle = sorted.length / 2
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}
