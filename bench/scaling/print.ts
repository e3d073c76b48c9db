/** A table in Markdown, under its title. */
export function print(title: string, head: string[], rows: string[][]): void {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  const rule = `|${'---|'.repeat(head.length)}`
  console.log([`**${title}**`, '', line(head), rule, ...rows.map(line), ''].join('\n'))
}

/** A whole number, in groups of three digits. */
export function count(amount: number): string {
  return Math.round(amount).toLocaleString('en').replaceAll(',', ' ')
}
