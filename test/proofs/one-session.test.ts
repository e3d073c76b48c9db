import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isRedisAlone, kinds, onMemcached } from '../support/store-servers.ts'
import { adapters, startCluster, type Cluster } from './cluster.ts'
import { isAcknowledged } from './history.ts'
import { either, prove, RUNS, untilAllKept, type Commits } from './prove.ts'
import { storm, stormWithEnd, stormWithStall, workloads } from './storms.ts'

const commits: [string, Commits][] = [
  ['save()', () => () => true],
  ['the commit after the handler', () => () => false],
]

const ends = ['destroy', 'regenerate'] as const

// One of each on Redis, by `npm test`, is in redis.test.ts.
const kindsHere = isRedisAlone ? kinds : [onMemcached]

describe.each(kindsHere)(
  'One session, four processes, $name, 200 parallel requests',
  { timeout: 30_000 * RUNS },
  (kind) => {
    let cluster: Cluster
    beforeAll(async () => {
      cluster = await startCluster({ kind })
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

describe.each(kindsHere)(
  'The same on $name while replies are lost and late',
  { timeout: 60_000 * RUNS },
  (kind) => {
    let cluster: Cluster
    beforeAll(async () => {
      cluster = await startCluster({ kind, isFaulty: true })
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
  },
)
