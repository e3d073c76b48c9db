import { expect } from 'vitest'
import { seeded } from '../support/seeded.ts'
import { figuresOf } from './figures.ts'
import { findFaults } from './find-faults.ts'
import { isAcknowledged, isChange, isWrite, type Entry, type History } from './history.ts'

// PROOF_RUNS=20 npx vitest run test/proofs
/** Of each proof; the ordinary run of the tests does one. */
export const RUNS = Number(process.env['PROOF_RUNS'] ?? 1)
const MOST_TRIES = 3

/** Whether the next request commits with `save()`, as a proof's numbers say. */
export type Commits = (random: () => number) => () => boolean
export const either: Commits = (random) => () => random() < 0.5

/** Repeats a proof on other numbers, expects every history to be without fault and tells the figures. */
export async function prove(
  title: string,
  run: (random: () => number) => Promise<History[]>,
): Promise<Entry[]> {
  const startedAt = performance.now()
  const histories: History[] = []
  for (let seed = 1; seed <= RUNS; seed++) {
    const more = await run(seeded(seed))
    for (const history of more) expect(findFaults(history).slice(0, 20), `run ${seed}`).toEqual([])
    histories.push(...more)
  }
  console.log(figuresOf(title, histories, performance.now() - startedAt))
  return histories.flat().filter((entry) => isWrite(entry))
}

/** On a busy machine a commit's time may run out: then nothing is wrong with the history, but not all is kept either. */
export async function untilAllKept(run: () => Promise<History>): Promise<History[]> {
  const histories: History[] = []
  for (let tries = 1; ; tries++) {
    const history = await run()
    histories.push(history)
    const refused = history.filter((entry) => isChange(entry) && !isAcknowledged(entry) && !mayBeSpent(entry))
    if (refused.length === 0) return histories
    if (tries < MOST_TRIES) continue
    expect(refused.map(({ id, status, events }) => `${id}: ${status}, ${events.join(' ')}`)).toEqual([])
  }
}

/** On a machine that is too busy for the store to be asked in time, nothing can be told of conflicts: the last run can. */
export async function untilNoOutage(run: () => Promise<History>): Promise<History[]> {
  const histories: History[] = []
  do histories.push(await run())
  while (
    histories.length < MOST_TRIES &&
    histories.at(-1)!.some(({ events }) => events.includes('store-error'))
  )
  return histories
}

/** E1: a save() is refused that finds gone what its request took. */
export function mayBeSpent({ isExplicit, steps }: Entry): boolean {
  return isExplicit && steps.some(({ type }) => type === 'take')
}
