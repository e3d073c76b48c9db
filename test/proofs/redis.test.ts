import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onRedis } from '../support/store-servers.ts'
import { startCluster, type Cluster } from './cluster.ts'
import { isAcknowledged, isSignIn } from './history.ts'
import { either, prove, RUNS, untilAllKept } from './prove.ts'
import { storm, stormWithEnd, stormWithStall, workloads } from './storms.ts'
import { stormOfOneUser } from './user-storms.ts'

const [[title, workload]] = Object.entries(workloads) as [[string, (typeof workloads)[string]]]

describe('One of each proof, on Redis; all of them by npm run test:redis', { timeout: 60_000 * RUNS }, () => {
  let faulty: Cluster
  /** The same, and nothing disturbs it. */
  let sound: Cluster
  beforeAll(async () => {
    faulty = await startCluster({ kind: onRedis, isFaulty: true })
    sound = { ...faulty, proxies: [] }
  })
  afterAll(() => faulty.stop())

  it('E5: destroy() in their middle is the end', async () => {
    const writers = await prove('Redis, destroy', async (random) => [
      await stormWithEnd(sound, 'destroy', { random, isExplicit: either(random) }),
    ])
    expect(writers.filter((entry) => isAcknowledged(entry)).length).toBeGreaterThan(20 * RUNS)
    expect(writers.filter((entry) => !isAcknowledged(entry)).length).toBeGreaterThan(20 * RUNS)
  })

  it('E4, E5: amid faults, too, and nobody is told that nothing was written', async () => {
    await prove('Redis, destroy amid faults', async (random) => [
      await stormWithEnd(faulty, 'destroy', { random, isExplicit: either(random) }),
    ])
  })

  it('E3: 200 parallel writes: all kept', async () => {
    await prove(`Redis, ${title}`, (random) =>
      untilAllKept(() => storm(sound, workload, { random, isExplicit: either(random) })),
    )
  })

  it('E4: while replies are lost and late: once or never', async () => {
    const writers = await prove(`Redis, ${title}, amid faults`, async (random) => [
      await storm(faulty, workload, { random, isExplicit: either(random), rounds: 2 }),
    ])
    expect(writers.some((entry) => isAcknowledged(entry))).toBe(true)
    expect(writers.some(({ events }) => events.includes('store-error'))).toBe(true)
  })

  it('E4: a sign-in carries over what went unanswered: nobody is told that nothing was written', async () => {
    const writers = await prove('Redis, a sign-in behind a stall', async (random) => [
      await stormWithStall(faulty, { random, isExplicit: either(random) }),
    ])
    expect(writers.some(({ events }) => events.includes('store-error'))).toBe(true)
  })

  it('E9, E10: 50 sign-ins, 20 sign-outs, 10 revocations and one of all others: what is live is listed', async () => {
    const writers = await prove('Redis, one user', (random) =>
      untilAllKept(() => stormOfOneUser(sound, { random, isExplicit: either(random) })),
    )
    expect(writers.some((entry) => isSignIn(entry) && isAcknowledged(entry))).toBe(true)
  })
})
