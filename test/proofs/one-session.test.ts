import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seeded } from '../support/seeded.ts'
import { adapters, startCluster, type Cluster } from './cluster.ts'
import { figuresOf } from './figures.ts'
import { findFaults } from './find-faults.ts'
import { isAcknowledged, isWrite, type Entry, type History } from './history.ts'
import { storm, stormWithEnd, stormWithStall, workloads } from './storms.ts'

// PROOF_RUNS=20 npx vitest run test/proofs
const RUNS = Number(process.env['PROOF_RUNS'] ?? 1)
const MOST_TRIES = 3

type Commits = (random: () => number) => () => boolean
const commits: [string, Commits][] = [
  ['save()', () => () => true],
  ['the commit after the handler', () => () => false],
]
const either: Commits = (random) => () => random() < 0.5

const ends = ['destroy', 'regenerate'] as const

/** Repeats a proof on other numbers, expects every history to be without fault and tells the figures. */
async function prove(title: string, run: (random: () => number) => Promise<History[]>): Promise<Entry[]> {
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
async function untilAllKept(run: () => Promise<History>): Promise<History[]> {
  const histories: History[] = []
  for (let tries = 1; ; tries++) {
    const history = await run()
    histories.push(history)
    const refused = history.filter((entry) => isWrite(entry) && !isAcknowledged(entry) && !mayBeSpent(entry))
    if (refused.length === 0) return histories
    if (tries < MOST_TRIES) continue
    expect(refused.map(({ id, status, events }) => `${id}: ${status}, ${events.join(' ')}`)).toEqual([])
  }
}

/** E1: a save() is refused that finds gone what its request took. */
function mayBeSpent({ isExplicit, steps }: Entry): boolean {
  return isExplicit && steps.some(({ type }) => type === 'take')
}

describe(
  'One session, four processes, one memcached, 200 parallel requests',
  { timeout: 30_000 * RUNS },
  () => {
    let cluster: Cluster
    beforeAll(async () => {
      cluster = await startCluster()
    })
    afterAll(() => cluster.stop())

    describe.each(adapters)('%s', (adapter) => {
      describe.each(commits)('by %s', (how, isExplicit) => {
        it.each(Object.entries(workloads))('E3: %s: all kept', async (name, workload) => {
          await prove(`${adapter}, ${name}, by ${how}`, (random) =>
            untilAllKept(() =>
              storm(cluster.through(adapter), workload, { random, isExplicit: isExplicit(random) }),
            ),
          )
        })

        it.each(ends)('E5: %s() in their middle is the end', async (end) => {
          const writers = await prove(`${adapter}, ${end} by ${how}`, async (random) => [
            await stormWithEnd(cluster.through(adapter), end, { random, isExplicit: isExplicit(random) }),
          ])
          expect(writers.filter((entry) => isAcknowledged(entry)).length).toBeGreaterThan(20 * RUNS)
          expect(writers.filter((entry) => !isAcknowledged(entry)).length).toBeGreaterThan(20 * RUNS)
        })
      })
    })
  },
)

describe('The same while replies are lost and late', { timeout: 60_000 * RUNS }, () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await startCluster({ isFaulty: true })
  })
  afterAll(() => cluster.stop())

  describe.each(adapters)('%s', (adapter) => {
    it.each(Object.entries(workloads))('E4: %s: once or never', async (name, workload) => {
      const writers = await prove(`${adapter}, ${name}, amid faults`, async (random) => [
        await storm(cluster.through(adapter), workload, { random, isExplicit: either(random), rounds: 2 }),
      ])
      expect(writers.some((entry) => isAcknowledged(entry))).toBe(true)
      expect(writers.some(({ events }) => events.includes('store-error'))).toBe(true)
    })

    it.each(ends)('E4, E5: %s() in their middle is the end', async (end) => {
      const writers = await prove(`${adapter}, ${end}, amid faults`, async (random) => [
        await stormWithEnd(cluster.through(adapter), end, { random, isExplicit: either(random) }),
      ])
      expect(writers.some((entry) => isAcknowledged(entry))).toBe(true)
    })

    it('E4: a sign-in carries over what went unanswered: nobody is told that nothing was written', async () => {
      const writers = await prove(`${adapter}, a sign-in behind a stall`, async (random) => [
        await stormWithStall(cluster.through(adapter), { random, isExplicit: either(random) }),
      ])
      expect(writers.some(({ events }) => events.includes('store-error'))).toBe(true)
    })
  })
})
