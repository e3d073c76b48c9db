import { describe, expect, it } from 'vitest'
import { SessionEndedError, StoreUnavailableError } from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { stores } from '../../support/stores.ts'
import { failing } from '../../support/tampered-store.ts'
import { visit, visitOk } from '../../support/visit.ts'

const BUDGET_MS = 600

/** What the tests in test/model found, each in as few steps as it takes. */
describe.each(stores)('found by the model on $name', ({ open }) => {
  const store = open()
  const bench = useBench(store)

  const read = (cookie: string) => bench.read(cookie)
  const elsewhere = (cookie: string, handler: Parameters<typeof visitOk>[2]) =>
    visitOk(bench.another({ store: store.current }), cookie, handler)

  describe('E1: take, in a request that goes on after a save', () => {
    it.each([
      ['nothing when another request took the value since', undefined, {}],
      ['the newer value when another request set one since, and deletes that one', 'T2', {}],
    ])('E1: returns %s', async (_, newer, left) => {
      const cookie = await bench.begin({ ticket: 'T1' })
      const { result } = await visitOk(bench.manager, cookie, async (session) => {
        expect(await session.get('ticket')).toBe('T1')
        await elsewhere(cookie, async (other) => {
          await other.take('ticket')
          other.set('ticket', newer)
          await other.save()
        })
        session.set('seen', true)
        await session.save()
        const ticket = await session.take('ticket')
        await session.save()
        return ticket
      })
      expect(result).toBe(newer)
      expect(await read(cookie)).toEqual({ seen: true, ...left })
    })
  })

  it("A2: entries holds the request's own writes, though a take of one could not load", async () => {
    const cookie = await bench.begin({ n: 1 })
    bench.store.before = failing('get')
    await visitOk(bench.manager, cookie, async (session) => {
      session.set('a', 1)
      await expect(session.take('a')).rejects.toThrow('did not answer')
      expect(await session.entries()).toEqual({ n: 1, a: 1 })
    })
  })

  it.each<[number | false, number]>([
    [604_800, 604_800],
    [false, 1_209_600],
  ])(
    'C1, E4: an idle timeout of its own, %s, holds though the reply to its save was lost',
    async (idle, ttl) => {
      const cookie = await bench.begin({ n: 1 })
      bench.store.after = failing('replace')
      await visitOk(bench.manager, cookie, (session) => session.setTimeouts({ idle }))
      expect(bench.store.ttls.at(-1)).toBe(ttl)
    },
  )

  it('C1: an idle timeout that another request set holds when there is nothing left to write', async () => {
    const cookie = await bench.begin({ n: 1, flash: 'hello' })
    await visitOk(bench.manager, cookie, async (session) => {
      session.delete('flash')
      await session.exists()
      await elsewhere(cookie, (other) => {
        other.delete('flash')
        other.setTimeouts({ idle: 604_800 })
      })
    })
    expect(bench.store.ttls.at(-1)).toBe(604_800)
  })

  it('E5: what save handed out is not sent when the session turns out to have ended', async () => {
    const cookie = await bench.begin({ user: 'u1' })
    const { setCookie } = await visitOk(bench.manager, cookie, async (session) => {
      session.setTimeouts({ persistent: false })
      await session.save()
      await elsewhere(cookie, (other) => other.regenerateId())
      session.set('user', 'revenant')
    })
    expect(setCookie).toBeUndefined()
  })

  it('E8: the token of a session that save made and the store lost is not sent', async () => {
    const { setCookie } = await visitOk(bench.manager, undefined, async (session) => {
      session.set('user', 'u1')
      await session.save()
      await store.current.delete(bench.store.keys[0]!)
      session.set('user', 'revenant')
      await expect(session.save()).rejects.toThrow(SessionEndedError)
    })
    expect(setCookie).toBeUndefined()
  })

  it('E5, E7: a sign-out that runs out of time against a regenerateId ends its successor', async () => {
    const cookie = await bench.begin({ user: 'u1' })
    let successor = ''
    const { error } = await visit(bench.manager, cookie, async (session) => {
      await session.exists()
      session.destroy()
      bench.store.before = async (operation) => {
        if (operation !== 'replace') return
        bench.store.before = () => {}
        successor = (await elsewhere(cookie, (other) => other.regenerateId())).cookie
        // Less is left of the budget than is kept back for the write that ends all conflicts.
        await new Promise((resolve) => setTimeout(resolve, BUDGET_MS - 200))
      }
    })
    expect(error).toBeUndefined()
    expect(await read(successor)).toEqual({})
    expect(await read(cookie)).toEqual({})
  })

  const newUser = (what: string) => `a user ${what}, on ${store.current.constructor.name}`

  it('E7, E9: a sign-in does not revive a session that another request signed the same user in to, who was revoked since', async () => {
    const user = newUser('revoked')
    const cookie = await bench.begin({ user })
    let successor = ''
    const { error, setCookie } = await visit(bench.manager, cookie, async (session) => {
      await session.exists()
      successor = (await elsewhere(cookie, (other) => other.signIn(user))).cookie
      await bench.another().revokeAll(user)
      session.signIn(user)
    })
    expect(error).toBeInstanceOf(SessionEndedError)
    expect(setCookie).toBeUndefined()
    expect(successor).not.toBe(cookie)
    expect([await read(cookie), await read(successor)]).toEqual([{}, {}])
    expect(await bench.manager.listSessions(user)).toEqual([])
  })

  it('E9: a sign-in that is saved anew after a failure is listed in the mark as it stands by then', async () => {
    const user = newUser('signed in at the second try')
    const { cookie } = await visitOk(bench.manager, undefined, async (session) => {
      session.signIn(user)
      session.set('user', user)
      bench.store.before = (operation, key) => {
        if (key !== bench.store.keys[0]) failing('add')(operation)
      }
      await expect(session.save()).rejects.toThrow(StoreUnavailableError)
      bench.store.before = () => {}
      await bench.another().revokeAll(user)
      await session.save()
    })
    expect(await read(cookie)).toEqual({ user })
    expect(await bench.manager.listSessions(user)).toHaveLength(1)
  })
})
