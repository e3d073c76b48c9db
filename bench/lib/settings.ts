/** `ROUNDS`, or else the default. */
export function readRounds(otherwise: number): number {
  const { ROUNDS = String(otherwise) } = process.env
  const rounds = Number(ROUNDS)
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new RangeError(`ROUNDS: expected 1 or more, got ${ROUNDS}`)
  return rounds
}

/** Those of `offered` that a variable names, separated by commas; all where it is not set. */
export function pick<Named extends { name: string }>(
  variable: 'ONLY' | 'SCENARIOS',
  offered: readonly Named[],
): readonly Named[] {
  const names = process.env[variable]?.split(',')
  if (!names) return offered
  const unknown = names.filter((name) => !offered.some((one) => one.name === name))
  if (unknown.length === 0) return offered.filter(({ name }) => names.includes(name))
  const known = offered.map(({ name }) => name).join(', ')
  throw new RangeError(`${variable}: expected some of ${known}; got ${unknown.join(', ')}`)
}
