import { afterEach, describe, expect, it } from 'vitest'
import type { Fault } from '../support/bundle.ts'
import { seeded } from '../support/seeded.ts'
import { startCluster } from './cluster.ts'
import { findFaults } from './find-faults.ts'
import { storm, stormWithEnd, stormWithStall, workloads, type Storm } from './storms.ts'
import { stormOfClicks, stormOfOneUser } from './user-storms.ts'

const MOST_RUNS = 5

const mixed = workloads['sets, deletes, takes and updates of a few keys']!
const writes: Storm = (cluster, options) => storm(cluster, mixed, { ...options, rounds: 2 })
const signOut: Storm = (cluster, options) => stormWithEnd(cluster, 'destroy', options)

interface Case {
  fault: Fault
  run: Storm
  isFaulty?: boolean
  /** What the checker is to say, among other things. */
  found: RegExp
}

const cases: [string, Case][] = [
  [
    'E1: changes are not replayed on the newest record',
    {
      fault: {
        file: 'src/core/session/write.ts',
        piece: 'next(commit, journal, newest, newest.signedIn)',
        replacement: 'next(commit, journal, loaded.record, newest.signedIn)',
      },
      run: writes,
      found: /it is lost$/,
    },
  ],
  [
    'E4: a write whose reply was lost is not recognised',
    {
      fault: {
        file: 'src/core/session/swap.ts',
        piece: 'remembers(session.record, write.writeId)',
        replacement: 'false',
      },
      run: writes,
      isFaulty: true,
      found: / twice$/,
    },
  ],
  [
    'E4: a write that went unanswered and meets a tombstone is told that nothing was written',
    {
      fault: {
        file: 'src/core/session/write.ts',
        piece: '  if (unanswered === undefined) return\n  throw new StoreUnavailableError(',
        replacement: '  if (true) return\n  throw new StoreUnavailableError(',
      },
      run: stormWithStall,
      isFaulty: true,
      found: / in order, which was not asked, was refused /,
    },
  ],
  [
    'E5: a slower request takes a tombstone for one more conflict',
    {
      fault: {
        file: 'src/core/session/swap.ts',
        piece: "if ('ended' in found.record) {",
        replacement: 'if (false) {',
      },
      run: signOut,
      found: / read, though it began after /,
    },
  ],
  [
    'E6: a token that was ended counts as unknown',
    {
      fault: { file: 'src/core/session/load.ts', piece: 'ENDED_MS = 30_000', replacement: 'ENDED_MS = 0' },
      run: signOut,
      found: / its response set a cookie$/,
    },
  ],
  [
    "E9: a user's list is set instead of swapped",
    {
      fault: {
        file: 'src/core/record/mark-io.ts',
        piece:
          "if (found) return io.ask('replace', () => store.replace(keys.storeKey, bytes, ttl, found.version))",
        replacement: `if (found) {
    await io.ask('set', () => store.set(keys.storeKey, bytes, ttl))
    return { outcome: 'replaced', version: found.version }
  }`,
      },
      run: stormOfOneUser,
      found: / lists no .+, which nothing had ended$/,
    },
  ],
  [
    'E7: a repeated sign-in forks',
    {
      fault: {
        file: 'src/core/session/regenerate.ts',
        piece: 'if (!signIn || signIn.userId !== successor?.userId) return undefined',
        replacement: 'return undefined',
      },
      run: stormOfClicks,
      found: / was given another token than /,
    },
  ],
]

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

describe('A build with a fault is found out', { timeout: 60_000 }, () => {
  it.each(cases)('%s', async (_, { fault, run, isFaulty = false, found }) => {
    const cluster = await startCluster({ faults: [fault], isFaulty, processes: 2 })
    cleanups.push(() => cluster.stop())
    let evidence: string | undefined
    for (let seed = 1; evidence === undefined && seed <= MOST_RUNS; seed++) {
      const random = seeded(seed)
      const faults = findFaults(await run(cluster, { random, isExplicit: () => random() < 0.5 }))
      evidence = faults.find((each) => found.test(each))
    }
    expect(evidence).toMatch(found)
  })
})
