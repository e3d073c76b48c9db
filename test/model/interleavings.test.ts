import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { meet, type Deed, type Encounter, type Script } from './encounter.ts'
import { promisesBroken } from './promises-broken.ts'
import type { Failure } from './scheduled-store.ts'
import { seedOr } from './seed.ts'

const seed = seedOr(1560336919)
const RUNS = 500

/** Everything that a release sets off is done before the next one. */
const scheduler = fc.scheduler({
  act: async (release) => {
    await release()
    await new Promise(setImmediate)
  },
})

const anyDeed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Deed>('set') },
  { weight: 4, arbitrary: fc.constant<Deed>('update') },
  { weight: 3, arbitrary: fc.constant<Deed>('take') },
  { weight: 3, arbitrary: fc.constant<Deed>('regenerateId') },
  { weight: 2, arbitrary: fc.constant<Deed>('destroy') },
  { weight: 1, arbitrary: fc.constant<Deed>('setTimeouts') },
  { weight: 4, arbitrary: fc.constant<Deed>('ann signs in') },
  { weight: 2, arbitrary: fc.constant<Deed>('bob signs in') },
  { weight: 1, arbitrary: fc.constant<Deed>('revoke') },
  { weight: 1, arbitrary: fc.constant<Deed>('revokeAll') },
  { weight: 1, arbitrary: fc.constant<Deed>('revokeOthers') },
)

function scripts(managers: number): fc.Arbitrary<Script> {
  const once = (next: fc.Arbitrary<Script | undefined>) =>
    fc.record({
      deeds: fc.uniqueArray(anyDeed, { minLength: 1, maxLength: 3 }),
      isElsewhere: fc.constantFrom(false, false, false, true),
      manager: fc.nat({ max: managers - 1 }),
      readsFirst: fc.boolean(),
      saves: fc.constantFrom('first', 'meanwhile', 'never'),
      next,
    })
  const nothing = fc.constant(undefined)
  return once(fc.oneof(nothing, once(nothing)))
}

const noFailures = fc.constant(new Map<number, Failure>())
const someFailures = fc
  .array(
    fc.tuple(fc.integer({ min: 1, max: 25 }), fc.constantFrom<Failure>('unsent', 'unanswered', 'late')),
    {
      minLength: 1,
      maxLength: 3,
    },
  )
  .map((failures) => new Map(failures))

describe('requests of one session that meet, in every order in which replies may arrive', () => {
  it.each([
    ['one manager', 1, noFailures, [0], false],
    ['two managers', 2, noFailures, [0], false],
    ['two managers, a store that fails', 2, someFailures, [0], true],
    ['two managers, budgets that run out', 2, noFailures, [40, 120], true],
  ])(
    'E1, E3, E5, E7 to E11: %s',
    async (name, managers, failures, replyMs, isImpatient) => {
      let [operations, requests] = [0, 0]
      const encounters: fc.Arbitrary<Encounter> = fc.record({
        scripts: fc.array(scripts(managers), { minLength: 2, maxLength: 4 }),
        isAnns: fc.boolean(),
        cap: fc.constantFrom(1, 2, 20, 20, 20, 20),
        failures,
        replyMs: fc.constantFrom(...replyMs),
        isImpatient: fc.constant(isImpatient),
      })
      await fc.assert(
        fc.asyncProperty(scheduler, encounters, async (scheduler, encounter) => {
          const aftermath = await meet(scheduler, encounter)
          operations += scheduler.report().length
          requests += aftermath.reports.length
          const broken = promisesBroken(aftermath, encounter)
          expect(broken, JSON.stringify(aftermath, undefined, 1)).toEqual([])
        }),
        { numRuns: RUNS, seed },
      )
      console.log(
        `${name}: ${RUNS} runs, ${requests} requests, ${operations} arrivals and replies, seed ${seed}`,
      )
    },
    300_000,
  )
})
