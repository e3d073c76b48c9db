import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { meet, type Aftermath, type Deed, type Encounter, type Report, type Script } from './encounter.ts'
import type { Failure } from './scheduled-store.ts'
import { seedOr } from './seed.ts'

const seed = seedOr(1560336919)
const RUNS = 1_000

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
  { weight: 1, arbitrary: fc.constant<Deed>('setSubject') },
  { weight: 1, arbitrary: fc.constant<Deed>('revokeAll') },
)

function scripts(managers: number): fc.Arbitrary<Script> {
  const once = (next: fc.Arbitrary<Script | undefined>) =>
    fc.record({
      // With a new token setSubject is a sign-in, which lives on after revokeAll.
      deeds: fc
        .uniqueArray(anyDeed, { minLength: 1, maxLength: 3 })
        .filter((deeds) => !deeds.includes('setSubject') || !deeds.includes('regenerateId')),
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
    'E1, E3, E5, E7, E8, E9: %s',
    async (name, managers, failures, replyMs, isImpatient) => {
      let [operations, requests] = [0, 0]
      const encounters: fc.Arbitrary<Encounter> = fc.record({
        scripts: fc.array(scripts(managers), { minLength: 2, maxLength: 4 }),
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

function promisesBroken({ reports, live }: Aftermath, { failures, replyMs }: Encounter): string[] {
  const isReliable = failures.size === 0 && replyMs === 0
  const does = (deed: Deed) => reports.filter(({ script }) => script.deeds.includes(deed))
  const acknowledged = (deed: Deed) => does(deed).filter(({ isAcknowledged }) => isAcknowledged)
  const kept = (deed: Deed) => acknowledged(deed).filter(isOfTheSession)
  const regenerations = reports.filter(({ events }) => events.includes('regenerated'))
  // A tombstone names one successor (E7), and the write that ends all conflicts overwrites what it does not see.
  const isFollowed = regenerations.length <= (replyMs === 0 ? 1 : 0)
  const destroyed = acknowledged('destroy').filter(({ wasLive, isStranger }) => wasLive && !isStranger)
  const isEnded = (isFollowed && destroyed.length > 0) || acknowledged('revokeAll').length > 0
  const endings = [...does('destroy'), ...does('revokeAll')]
  const isWhole = reports.every(({ script }) => script.saves !== 'meanwhile')
  const spent = reports.filter((report) => report.hasSpent && isOfTheSession(report))
  const [data = {}] = live
  const n = data.n as number
  const updates = kept('update').length
  const promises: [string, boolean][] = [
    ['E7: at most one live token has left the process', live.length <= 1],
    ['E5, E9: nobody reads a session that was ended', !isEnded || live.length === 0],
    ['nobody is signed out who did not ask for it', !isReliable || endings.length > 0 || live.length === 1],
    ['E1: a value that was taken is spent once', spent.length <= 1],
    ['E5: only a sign-in hands out another token than it came with', reports.every(keepsItsToken)],
    ['E5, E7, E8: a request whose session is lost hands out nothing of it', reports.every(isSilentWhenLost)],
  ]
  if (live.length > 0) {
    promises.push(
      ['E3: what was acknowledged is there', kept('set').every(({ name }) => data[name] === true)],
      ['E1: an update that was acknowledged counts', n >= updates],
      ['E1: no update counts twice', n <= does('update').length],
      ['E5: an update that was not acknowledged does not count', !isReliable || !isWhole || n === updates],
      ['E1: what was spent is gone', spent.length === 0 || data.ticket === undefined],
    )
  }
  return promises.flatMap(([promise, isKept]) => (isKept ? [] : [promise]))
}

/** What it did was done to the session that all meet on, and not to one begun since, or to one that it ended. */
function isOfTheSession({ script, events, isStranger }: Report): boolean {
  return !isStranger && !script.deeds.includes('destroy') && !events.includes('created')
}

function keepsItsToken({ came, token, events }: Report): boolean {
  const isNew = token !== undefined && token !== came
  return !isNew || events.includes('regenerated') || events.includes('created')
}

/** Unless it began a session of its own afterwards, or what failed came after a save that succeeded. */
function isSilentWhenLost({ events, error, token, script }: Report): boolean {
  if (token === undefined || events.includes('created')) return true
  if (error !== undefined) return script.saves === 'meanwhile'
  return !events.includes('dropped') && !events.includes('missing')
}
