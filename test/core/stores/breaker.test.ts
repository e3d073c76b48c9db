import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Breaker } from '../../../src/core/stores/breaker.ts'

/** Fails until it opens, at the time `now`; the pause until the first probe. */
function opened(now = 0): Breaker {
  const breaker = new Breaker()
  for (let index = 0; index < 5; index++) breaker.failed(now, false)
  return breaker
}

describe('Breaker', () => {
  it('F4: opens with the fifth failure in a row', () => {
    const breaker = new Breaker()
    for (let index = 0; index < 4; index++) {
      expect(breaker.failed(index, false)).toBeUndefined()
      expect(breaker.isOpen).toBe(false)
    }
    expect(breaker.failed(4, false)).toBeGreaterThan(0)
    expect(breaker.isOpen).toBe(true)
  })

  it('F4: opens at once for a failure that lasts', () => {
    const breaker = new Breaker()
    expect(breaker.failed(0, true)).toBeGreaterThan(0)
    expect(breaker.isOpen).toBe(true)
  })

  it('F4: probes every second with jitter in the first minute, then doubled apart up to 30 s', () => {
    const breaker = opened()
    const pauses: number[] = []
    let now = 0
    while (now < 400_000) {
      const pause = breaker.failed(now, false)!
      pauses.push(pause)
      now += pause
    }
    const inFirstMinute = pauses.filter((pause) => pause <= 1000)
    expect(inFirstMinute.length).toBeGreaterThanOrEqual(59)
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(500)
    expect(new Set(inFirstMinute).size).toBeGreaterThan(1)
    const later = pauses.slice(inFirstMinute.length)
    for (const [index, longest] of [2000, 4000, 8000, 16_000, 30_000, 30_000].entries()) {
      expect(later[index]).toBeGreaterThanOrEqual(longest / 2)
      expect(later[index]).toBeLessThanOrEqual(longest)
    }
  })

  it('F4: one answer closes it, and the next time it begins with a second again', () => {
    const breaker = opened()
    for (let index = 0; index < 10; index++) breaker.failed(100_000, false)
    breaker.succeeded()
    expect(breaker.isOpen).toBe(false)
    for (let index = 0; index < 4; index++) expect(breaker.failed(200_000, false)).toBeUndefined()
    expect(breaker.failed(200_000, false)).toBeLessThanOrEqual(1000)
  })

  it('S42: whatever happens, it is open exactly after five failures without an answer, or one that lasts', () => {
    const event = fc.record({
      type: fc.constantFrom('answer', 'failure', 'failure', 'failure', 'lasting'),
      afterMs: fc.integer({ min: 0, max: 90_000 }),
    })
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const breaker = new Breaker()
        let now = 0
        let failures = 0
        let openSince: number | undefined
        let longest = 1000
        for (const { type, afterMs } of events) {
          now += afterMs
          if (type === 'answer') {
            breaker.succeeded()
            failures = 0
            openSince = undefined
          } else {
            const pause = breaker.failed(now, type === 'lasting')
            failures++
            if (openSince === undefined) {
              if (failures >= 5 || type === 'lasting') [openSince, longest] = [now, 1000]
            } else if (now - openSince >= 60_000) longest = Math.min(30_000, longest * 2)
            if (openSince === undefined) expect(pause).toBeUndefined()
            else {
              expect(pause).toBeGreaterThanOrEqual(longest / 2)
              expect(pause).toBeLessThanOrEqual(longest)
            }
          }
          expect(breaker.isOpen).toBe(openSince !== undefined)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
