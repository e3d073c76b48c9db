import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isRedisAlone, kinds, onMemcached } from '../support/store-servers.ts'
import { startCluster, type Cluster } from './cluster.ts'
import { isAcknowledged, isSignIn, type History } from './history.ts'
import { either, prove, RUNS, untilAllKept, untilNoOutage } from './prove.ts'
import { signInAtOnce, stormOfClicks, stormOfOneUser } from './user-storms.ts'

const ROUND_TRIP_MS = 5

// One of each on Redis, by `npm test`, is in redis.test.ts.
const kindsHere = isRedisAlone ? kinds : [onMemcached]

describe.each(kindsHere)('One user, four processes, $name', { timeout: 60_000 * RUNS }, (kind) => {
  let faulty: Cluster
  /** The same, and nothing disturbs it. */
  let sound: Cluster
  beforeAll(async () => {
    faulty = await startCluster({ kind, isFaulty: true })
    sound = { ...faulty, proxies: [] }
  })
  afterAll(() => faulty.stop())

  /** With how many of them meet enough faults. */
  const storms = [
    [
      'E9, E10: 50 sign-ins, 20 sign-outs, 10 revocations and one of all others: what is live is listed',
      stormOfOneUser,
      1,
    ],
    ['E7: a sign-in that is repeated makes one session', stormOfClicks, 4],
  ] as const

  it.each(storms)('%s', async (title, storm) => {
    await prove(title, (random) => untilAllKept(() => storm(sound, { random, isExplicit: either(random) })))
  })

  it.each(storms)('%s, while replies are lost and late', async (title, storm, times) => {
    const writers = await prove(`${title}, amid faults`, async (random) => {
      const histories: History[] = []
      for (let time = 0; time < times; time++) {
        histories.push(await storm(faulty, { random, isExplicit: either(random) }))
      }
      return histories
    })
    expect(writers.some((entry) => isSignIn(entry) && isAcknowledged(entry))).toBe(true)
    expect(writers.some(({ events }) => events.includes('store-error'))).toBe(true)
  })

  it.each([1, 4])(
    'E10: 50 sign-ins at once at round trips of 5 ms, in processes: %i: none fails, 50 are listed',
    async (processes) => {
      for (const proxy of faulty.proxies) proxy.fault = { type: 'latency', ms: ROUND_TRIP_MS }
      try {
        await prove(`50 sign-ins at once in processes: ${processes}`, async () => {
          const histories = await untilNoOutage(() => signInAtOnce(sound, processes))
          const history = histories.at(-1)!
          const refused = history.filter((entry) => isSignIn(entry) && !isAcknowledged(entry))
          expect(refused.map(({ id, status, events }) => `${id}: ${status}, ${events.join(' ')}`)).toEqual([])
          expect(history.at(-1)!.listed).toHaveLength(50)
          return histories
        })
      } finally {
        for (const proxy of faulty.proxies) proxy.fault = { type: 'none' }
      }
    },
  )
})
