import { describe, expect, it } from 'vitest'
import type { Fault } from '../support/bundle.ts'
import { adapters, type Adapter } from './app.ts'
import { buildWithout, soundBuild } from './build.ts'
import { startSite, type Site } from './site.ts'

/** One that gains nothing, and succeeds against the same application without a defence. */
export interface Attack {
  title: string
  /** What the attacker gains, a sentence each. */
  run(site: Site): Promise<string[]>
  without: Removal[]
}

interface Removal {
  defence: string
  /** The pieces of the source that are the defence, and what stands there without it. */
  removed: Fault[]
  /** What the attacker then gains, among other things. */
  gain: RegExp
}

/** Through every adapter, or through those named where none of them makes a difference. */
export function describeAttacks(
  what: string,
  attacks: Attack[],
  through: readonly Adapter[] = adapters,
): void {
  describe(what, () => {
    for (const { title, run, without } of attacks) {
      it.each(through)(`${title}: gains nothing (%s)`, async (adapter) => {
        expect(await run(await startSite(soundBuild, adapter))).toEqual([])
      })
      for (const { defence, removed, gain } of without) {
        it(`${title}: succeeds without ${defence}`, async () => {
          const gains = await run(await startSite(await buildWithout(removed), 'Hono'))
          expect(gains).toContainEqual(expect.stringMatching(gain))
        })
      }
    }
  })
}
