import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { importPlanted } from '../support/planted.ts'
import { wrongMemories } from '../support/planted-memory.ts'
import * as soundCommands from './commands.ts'
import * as soundStage from './stage.ts'

/** As model.test.ts, whose first runs these are. No other: which difference shows first, and whether any does, depends on it. */
const seed = 313664315
const RUNS = 100

interface Model {
  commands: typeof soundCommands.commands
  Stage: typeof soundStage.Stage
}

/** The other ways to remember wrongly need an attacker, or a page that fails: test/attacks/memory.test.ts. */
const found: [keyof typeof wrongMemories, RegExp][] = [
  ['bytesNotCompared', /^Error: what token \d+ holds: the model says /],
  ['markNotAsked', /^Error: what token \d+ holds: the model says nothing, /],
  ['deadlineNotAsked', /^Error: what token \d+ holds: the model says nothing, /],
  ['viewNotCopied', /^Error: .*: the model says /],
  ['valueNotForgotten', /^Error: .*: the model says /],
]

describe('The model, where what was opened is remembered (S67)', () => {
  // A machine that stands still for a while uses up no budget, and nothing grows old.
  beforeEach(() => {
    vi.spyOn(performance, 'now').mockReturnValue(0)
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it('has nothing to say of it as it is', async () => {
    expect(await differenceOn({ ...soundCommands, ...soundStage })).toBeUndefined()
  })

  it.each(found)('finds %s', async (wrongMemory, difference) => {
    const files = ['test/model/commands.ts', 'test/model/stage.ts']
    const [commands, stage] = (await importPlanted(wrongMemories[wrongMemory], ...files)) as [object, object]
    expect(await differenceOn({ ...commands, ...stage } as Model)).toMatch(difference)
  })
})

/** What the first story says in which the two differ. */
async function differenceOn({ commands, Stage }: Model): Promise<string | undefined> {
  const stories = fc.commands([commands()], { maxCommands: 200, size: 'max' })
  const property = fc.asyncProperty(stories, async (story) => {
    const stage = new Stage()
    await fc.asyncModelRun(() => ({ model: stage, real: stage }), story)
  })
  const { failed, errorInstance } = await fc.check(property, { numRuns: RUNS, seed, endOnFailure: true })
  return failed ? String(errorInstance) : undefined
}
