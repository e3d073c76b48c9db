import { describe, expect, it } from 'vitest'
import { StoreUnavailableError, type Session } from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { stores } from '../../support/stores.ts'
import { failing } from '../../support/tampered-store.ts'
import { visit, visitOk } from '../../support/visit.ts'

describe.each(stores)('unknown is not nothing on $name', ({ open }) => {
  const store = open()
  const bench = useBench(store)

  const writes: [string, (session: Session) => Promise<unknown>, Record<string, unknown>][] = [
    ['an update', (session) => session.update('orders', (n = 0) => n + 1), { coupon: 'C1', orders: 1 }],
    ['a take', (session) => session.take('coupon'), {}],
  ]

  type End = (cookie: string, key: string) => Promise<string | undefined>
  const elsewhere = (cookie: string, handler: (session: Session) => void) =>
    visitOk(bench.another({ store: store.current }), cookie, handler)
  /** By somebody else, meanwhile; gives the cookie of the session that goes on. */
  const ends: [string, End][] = [
    [
      'a regenerateId that carried it over',
      async (cookie) => (await elsewhere(cookie, (session) => session.regenerateId())).cookie,
    ],
    ['a destroy()', async (cookie) => void (await elsewhere(cookie, (session) => session.destroy()))],
    ['an eviction', async (_, key) => void (await store.current.delete(key))],
  ]

  /** The next write is applied and its reply lost; `end` happens before it can be settled by reading. */
  const loseReply = (end: () => Promise<void>) => {
    bench.store.after = (operation) => {
      if (operation !== 'replace') return
      bench.store.after = () => {}
      bench.store.before = async (next) => {
        if (next !== 'get') return
        bench.store.before = () => {}
        await end()
      }
      failing('replace')('replace')
    }
  }

  describe.each(ends)('E4: a write that went unanswered and then meets %s', (_, end) => {
    it.each(writes)(
      'E4: %s, by save() and by the commit: an outage, never "nothing was written"',
      async (_, write, written) => {
        for (const isExplicit of [true, false]) {
          const cookie = await bench.begin({ coupon: 'C1' })
          let goesOn: string | undefined
          let refusal: unknown
          const { error, setCookie } = await visit(bench.manager, cookie, async (session) => {
            await write(session)
            const key = bench.store.keys.at(-1)!
            loseReply(async () => void (goesOn = await end(cookie, key)))
            if (isExplicit) refusal = await session.save().catch((reason: unknown) => reason)
          })
          expect(isExplicit ? refusal : error).toBeInstanceOf(StoreUnavailableError)
          expect(setCookie).toBeUndefined()
          // What a handler has caught is its own to answer, and told (D9).
          expect(bench.events().includes('dropped')).toBe(isExplicit)
          if (goesOn !== undefined) expect(await bench.read(goesOn)).toEqual(written)
          bench.forget()
        }
      },
    )
  })
})
