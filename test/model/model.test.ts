import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { commands } from './commands.ts'
import type { Fault } from './recorded-store.ts'
import { seedOr } from './seed.ts'
import { Stage } from './stage.ts'

const seed = seedOr(313664315)
const RUNS = 2_000
const MAX_COMMANDS = 200

const nowAndThen: fc.Arbitrary<Fault | undefined> = fc.oneof(
  { weight: 5, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.constant<Fault>('outage') },
  // Neither the reply to a swap comes, nor what would settle it.
  { weight: 1, arbitrary: fc.constant<Fault>({ skip: 0, times: 2, stage: 'after' }) },
  {
    weight: 2,
    arbitrary: fc.record({
      skip: fc.nat({ max: 3 }),
      times: fc.integer({ min: 1, max: 3 }),
      stage: fc.constantFrom('before', 'after'),
    }),
  },
)

/** What the stories must come to, or they prove little. */
const endings = [
  ...['done', 'conflict', 'ended'].flatMap((outcome) => [`save: ${outcome}`, `commit: ${outcome}`]),
  ...['new', 'same', 'cleared', 'none'].map((cookie) => `cookie: ${cookie}`),
  'dropped',
  'missing',
  ...[
    'a sign-in repeated',
    'somebody else signed in meanwhile',
    'over the session of another',
    'the cap',
  ].map((what) => `users: ${what}`),
]

describe('sessions against a simple model', () => {
  // A machine that stands still for a while uses up no budget.
  beforeEach(() => {
    vi.spyOn(performance, 'now').mockReturnValue(0)
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it.each([
    ['answers', undefined, endings],
    [
      'fails now and then',
      nowAndThen,
      [...endings, 'save: outage', 'commit: outage', 'save: refused', 'commit: refused'],
    ],
  ])(
    'A, B3, C, D2, D3, E, G3: requests see and leave what the model says, over a store that %s',
    async (name, faults, expected) => {
      const stories = fc.commands([commands(faults)], { maxCommands: MAX_COMMANDS, size: 'max' })
      const reached = new Set<string>()
      let commandsRun = 0
      await fc.assert(
        fc.asyncProperty(stories, async (story) => {
          const stage = new Stage()
          await fc.asyncModelRun(() => ({ model: stage, real: stage }), story)
          commandsRun += stage.commands
          for (const each of [...stage.reached, ...stage.world.reached]) reached.add(each)
        }),
        { numRuns: RUNS, seed },
      )
      console.log(
        `model, over a store that ${name}: ${RUNS} runs, ${commandsRun} commands, seed ${seed}, which came to ${[...reached].toSorted().join(', ')}`,
      )
      expect([...reached]).toEqual(expect.arrayContaining(expected))
    },
    300_000,
  )
})
