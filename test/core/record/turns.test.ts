import { describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../../src/core/index.ts'
import { Turns } from '../../../src/core/record/turns.ts'

describe('Turns', () => {
  it('E2: commits to one record run one after the other, each handing the newest record on', async () => {
    const turns = new Turns<number>()
    let running = 0
    const batons: (number | undefined)[] = []
    const take = () =>
      turns.take('a', async (baton, handOn) => {
        expect(++running).toBe(1)
        batons.push(baton)
        await new Promise(setImmediate)
        running--
        handOn((baton ?? 0) + 1)
      })
    await Promise.all(Array.from({ length: 50 }, take))
    expect(batons).toEqual([undefined, ...Array.from({ length: 49 }, (_, index) => index + 1)])
  })

  it('E2: other records do not wait', async () => {
    const turns = new Turns<number>()
    void turns.take('a', () => new Promise<never>(() => {}))
    const startedAt = performance.now()
    await turns.take('b', async () => undefined)
    expect(performance.now() - startedAt).toBeLessThan(50)
  })

  it('E2: one that fails makes room for the next', async () => {
    const turns = new Turns<number>()
    const fails = turns.take('a', () => Promise.reject(new Error('failed')))
    const next = turns.take('a', async (baton) => (expect(baton).toBeUndefined(), undefined))
    await expect(fails).rejects.toThrow('failed')
    await next
  })

  it('F2: nobody waits long behind one that hangs, however long the queue', async () => {
    const turns = new Turns<number>()
    void turns.take('a', () => new Promise<never>(() => {}))
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: 20 }, () => turns.take('a', async () => undefined)))
    expect(performance.now() - startedAt).toBeLessThan(1_000)
  })

  it('F2: those who gave up waiting show no movement to those who still wait', async () => {
    const turns = new Turns<number>()
    void turns.take('a', () => new Promise<never>(() => {}))
    const startedAt = performance.now()
    const waits: Promise<void>[] = []
    const ended: number[] = []
    for (let joined = 0; joined < 5; joined++) {
      waits.push(turns.take('a', async () => {}).then(() => void ended.push(performance.now() - startedAt)))
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    await Promise.all(waits)
    for (const [joined, after] of ended.entries()) expect(after - joined * 100).toBeLessThan(1_000)
  })

  it('E2: a queue that met an outage takes turns again once the store has answered', async () => {
    const turns = new Turns<number>()
    const done: string[] = []
    const fails = turns.take('a', () => Promise.reject(new StoreUnavailableError('get', undefined)))
    const answered = turns.take('a', async () => undefined)
    let finish!: () => void
    const slow = turns.take('a', async () => {
      await new Promise<void>((resolve) => (finish = resolve))
      done.push('slow')
    })
    await expect(fails).rejects.toThrow(StoreUnavailableError)
    await answered
    const last = turns.take('a', async () => void done.push('last'))
    await new Promise(setImmediate)
    finish()
    await Promise.all([slow, last])
    expect(done).toEqual(['slow', 'last'])
  })

  it('E2: nobody leaves a long queue that moves', async () => {
    const turns = new Turns<number>()
    let running = 0
    const take = () =>
      turns.take('a', async () => {
        expect(++running).toBe(1)
        await new Promise((resolve) => setTimeout(resolve, 15))
        running--
        return undefined
      })
    await Promise.all(Array.from({ length: 20 }, take))
  })
})
