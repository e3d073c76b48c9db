import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { visitOk } from '../../support/visit.ts'

const memory = new MemoryStore()
const bench = useBench({ current: memory, countRecords: async () => memory.size })
const UNKNOWN = `__Host-session=${'u'.repeat(43)}`

/** What is told of a request that reads. */
async function toldOf(cookie: string | undefined, manager = bench.manager): Promise<string[]> {
  bench.forget()
  await manager.open(cookie).exists()
  return bench.events()
}

describe('a token without a record', () => {
  it('K1: is told, with what the load took', async () => {
    expect(await toldOf(UNKNOWN)).toEqual(['unknown'])
    expect(bench.lastEvents[0]).toMatchObject({ durationMs: expect.any(Number), roundTrips: 1 })
  })

  it.each([undefined, '', 'other=1', '__Host-session=', '__Host-session=short'])(
    'K1: is told apart from none: %j',
    async (cookie) => {
      expect(await toldOf(cookie)).toEqual([])
    },
  )

  it('K1: is told once of several, and not beside what tells more', async () => {
    expect(await toldOf(`${UNKNOWN}; __Host-session=${'v'.repeat(43)}`)).toEqual(['unknown'])
    expect(bench.lastEvents[0]).toMatchObject({ roundTrips: 2 })
    const cookie = await bench.begin({ user: 'u1' })
    expect(await toldOf(`${UNKNOWN}; ${cookie}`)).toEqual(['loaded'])
    expect(await toldOf(cookie, bench.another({ secret: 'another secret of 32 bytes or more' }))).toEqual(['invalid'])
    await visitOk(bench.manager, cookie, (session) => session.destroy())
    expect(await toldOf(`${UNKNOWN}; ${cookie}`)).toEqual(['ended'])
    bench.clock.ms += 30_000
    expect(await toldOf(`${UNKNOWN}; ${cookie}`)).toEqual(['ended'])
  }) // prettier-ignore

  it('K1: is told once a request, however often that reads and writes', async () => {
    bench.forget()
    await visitOk(bench.manager, UNKNOWN, async (session) => {
      await session.get('user')
      session.set('user', 'u1')
      await session.save()
      await session.entries()
    })
    expect(bench.events()).toEqual(['unknown', 'created'])
  })

  it('K1, F1: is not told where the store could not be asked', async () => {
    bench.store.before = () => {
      throw new Error('refused')
    }
    await bench.manager
      .open(UNKNOWN)
      .exists()
      .catch(() => {})
    expect(bench.events()).toEqual(['store-error'])
  })
})

describe('a Cookie header beyond what is read', () => {
  const long = (length: number) => `o=${'x'.repeat(length - 2)}`

  it.each([
    ['is told where no session stands before', `${long(16_385)}`, ['cookie-header-too-long']],
    ['is told where ours reaches over the end', `${long(16_360)}; ${UNKNOWN}`, ['cookie-header-too-long']],
    ['is nothing where a token is read', `${UNKNOWN}; ${long(16_384)}`, ['unknown']],
    ['is none at 16 KiB', long(16_384), []],
  ])('K1, S27: %s', async (_, cookie, told) => {
    expect(await toldOf(cookie)).toEqual(told)
  })
})
