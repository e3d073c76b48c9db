import { describe, expect, it } from 'vitest'
import { SessionConflictError, SessionEndedError, StoreUnavailableError } from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { secret, stores } from '../../support/stores.ts'
import { failing, TamperedStore } from '../../support/tampered-store.ts'
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

  it('D9: an outage that was answered stays answered when what was to be written is read', async () => {
    const cookie = await bench.begin({ n: 1 })
    await visitOk(bench.manager, cookie, async (session) => {
      session.set('n', 2)
      bench.store.before = failing('get')
      await expect(session.take('n')).rejects.toThrow(StoreUnavailableError)
      await expect(session.save()).rejects.toThrow(StoreUnavailableError)
      expect(await session.entries()).toEqual({ n: 2 })
    })
    expect(await read(cookie)).toEqual({ n: 1 })
  })

  describe('E4: a write that never arrived, on which another was made before it was told that its ticket is spent', () => {
    it.each([
      ['ended', (cookie: string) => elsewhere(cookie, (other) => other.regenerateId()), ['dropped']],
      [
        'was written anew after 6 s',
        async (cookie: string) => {
          bench.clock.ms += 6_000
          await elsewhere(cookie, (other) => other.set('n', 1))
        },
        [],
      ],
    ])('E4: is in doubt no longer when the session %s', async (_, happens, lost) => {
      const cookie = await bench.begin({ ticket: 'T1' })
      const { error } = await visit(bench.manager, cookie, async (session) => {
        await session.take('ticket')
        await elsewhere(cookie, (other) => other.delete('ticket'))
        bench.store.before = failing('replace')
        await expect(session.save()).rejects.toThrow('another request took or changed a value')
        await happens(cookie)
      })
      expect(error).toBeUndefined()
      expect(bench.events().filter((type) => type === 'dropped')).toEqual(lost)
    })
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

  describe('users', () => {
    const user = (what: string) => `one whose ${what}, on ${store.current.constructor.name}`
    const signedIn = async (userId: string, options = {}) => {
      const { cookie } = await visitOk(bench.manager, undefined, (session) => session.signIn(userId, options))
      return cookie
    }
    const owner = async (cookie: string) =>
      (await visitOk(bench.manager, cookie, (session) => session.userId())).result

    it('E6: an ordinary write to a session that ended moments ago asks nothing more of the store', async () => {
      const cookie = await bench.begin({ n: 1 })
      await elsewhere(cookie, (session) => session.regenerateId())
      await visitOk(bench.manager, cookie, async (session) => {
        await session.exists()
        bench.forget()
        session.set('n', 2)
      })
      expect(bench.store.operations).toEqual([])
      expect(bench.events()).toContain('dropped')
    })

    it('C2, E7: timeouts that were set before a sign-in are no part of what it is answered with', async () => {
      const cookie = await bench.begin({ n: 1 })
      await elsewhere(cookie, (session) => session.signIn(user('sign-in is repeated')))
      const { setCookie } = await visitOk(bench.manager, cookie, (session) => {
        session.setTimeouts({ absolute: 45 })
        session.signIn(user('sign-in is repeated'))
      })
      expect(setCookie).toContain('Max-Age=1209600')
    })

    it("E11: a value that was set before a sign-in over another's session is gone for an update and a take, too", async () => {
      const cookie = await signedIn(user('value must not be seen'))
      const { result } = await visitOk(bench.manager, cookie, async (session) => {
        session.set('n', 1)
        session.set('ticket', 'T1')
        session.signIn(user('session begins with nothing'))
        return [await session.update('n', (n: number = 0) => n + 1), await session.take('ticket')]
      })
      expect(result).toEqual([1, undefined])
    })

    it("E7: a double click over another's session is one session", async () => {
      const cookie = await signedIn(user('session is signed in over'))
      const bob = user('click is doubled')
      let first = ''
      const { cookie: second, error } = await visit(bench.manager, cookie, async (session) => {
        await session.exists()
        session.signIn(bob)
        first = (await elsewhere(cookie, (other) => other.signIn(bob))).cookie
      })
      expect(error).toBeUndefined()
      expect(second).toBe(first)
      expect(await bench.manager.listSessions(bob)).toHaveLength(1)
    })

    it('E7: who signs in again over his session, over which somebody else has signed in, starts afresh', async () => {
      const [ann, bob] = [user('session is taken over'), user('session took over')]
      const cookie = await signedIn(ann)
      const { cookie: second, error } = await visit(bench.manager, cookie, async (session) => {
        await session.exists()
        session.signIn(ann)
        await elsewhere(cookie, (other) => other.signIn(bob))
      })
      expect(error).toBeUndefined()
      expect(await owner(second)).toBe(ann)
    })

    it('E10: a session stays listed when timeouts were set that did not come to be', async () => {
      const ann = user('timeouts were lost')
      const cookie = await signedIn(ann)
      let successor = ''
      await visit(bench.manager, cookie, async (session) => {
        await session.exists()
        session.setTimeouts({ absolute: 45 })
        successor = (await elsewhere(cookie, (other) => other.regenerateId())).cookie
      })
      bench.clock.ms += 46_000
      expect(await owner(successor)).toBe(ann)
      expect(await bench.manager.listSessions(ann)).toHaveLength(1)
    })

    it('E10: a session is listed as long as its record says, though two set timeouts at once', async () => {
      const ann = user('timeouts met')
      const cookie = await signedIn(ann)
      await visitOk(bench.manager, cookie, async (session) => {
        await session.exists()
        await elsewhere(cookie, (other) => other.setTimeouts({ idle: false }))
        session.setTimeouts({ persistent: true })
      })
      bench.clock.ms += 100_000_000
      expect(await bench.manager.listSessions(ann)).toHaveLength(1)
    })

    it('E9: two sign-ins at once, where one session is allowed, do not end each other', async () => {
      const ann = user('sign-ins meet')
      await signedIn(ann)
      // Each is held when its record and its entry are written: the first before it looks whom to end, the second after.
      const signIn = (isHeld: (operation: string) => boolean) => {
        const own = new TamperedStore(store.current)
        const [held, released] = [gate(), gate()]
        own.before = (operation) => {
          const written = own.operations.slice(0, -1).filter((each) => each !== 'get').length
          if (written < 2 || !isHeld(operation)) return undefined
          held.open()
          return released.isOpen
        }
        const manager = bench.another({ store: own, maxSessionsPerUser: 1 })
        const done = visitOk(manager, undefined, (session) => session.signIn(ann))
        return { held: held.isOpen, release: released.open, done }
      }
      const first = signIn((operation) => operation === 'get')
      await first.held
      const second = signIn((operation) => operation !== 'get')
      await second.held
      first.release()
      const cookies = [(await first.done).cookie]
      second.release()
      cookies.push((await second.done).cookie)
      const owners = [await owner(cookies[0]!), await owner(cookies[1]!)]
      expect(owners.filter((userId) => userId === ann)).toHaveLength(1)
    })

    it.each([
      ['', [secret]],
      [' in a rotation', [`a new ${secret}`, secret]],
    ])(
      'E9: a sign-in that is committed a day after its end is not listed, and pushes nobody out%s',
      async (how, secrets) => {
        const ann = user(`request took a day${how}`)
        const cookie = await signedIn(ann, { idle: false, absolute: 1_000_000 })
        const manager = bench.another({ secret: secrets, maxSessionsPerUser: 1 })
        await visitOk(manager, undefined, (session) => {
          session.signIn(ann, { absolute: 45 })
          bench.clock.ms += 86_446_000
        })
        expect(await owner(cookie)).toBe(ann)
      },
    )

    it('D9: an outage that was answered stays answered when a read shows whose session it is', async () => {
      const [ann, bob] = [user('store was down'), user('sign-in met an outage')]
      const cookie = await signedIn(ann)
      const { setCookie } = await visitOk(bench.manager, cookie, async (session) => {
        session.set('n', 1)
        session.signIn(bob)
        bench.store.before = failing('get')
        await expect(session.save()).rejects.toThrow(StoreUnavailableError)
        await session.exists()
      })
      expect(setCookie).toBeUndefined()
      expect(await owner(cookie)).toBe(ann)
    })

    it('E10: a sign-in that is rejected for a value that was spent is not listed, though a reply was lost', async () => {
      const cookie = await bench.begin({ ticket: 'T1' })
      const ann = user('ticket was spent')
      await visit(
        bench.manager,
        cookie,
        async (session) => {
          await session.take('ticket')
          session.signIn(ann)
          await elsewhere(cookie, async (other) => {
            await other.take('ticket')
          })
          bench.store.before = failing('replace')
          await expect(session.save()).rejects.toThrow(SessionConflictError)
        },
        { status: 500 },
      )
      await expect.poll(() => bench.manager.listSessions(ann)).toEqual([])
    })

    it('E10: a session is listed though its idle timeout is set by a request that it was seen by long ago', async () => {
      const ann = user('request takes a week')
      const cookie = await signedIn(ann, { idle: false })
      await visitOk(bench.manager, cookie, async (session) => {
        await session.exists()
        bench.clock.ms += 700_000_000
        session.setTimeouts({ idle: 604_800 })
      })
      expect(await bench.manager.listSessions(ann)).toHaveLength(1)
    })

    it('E10: timeouts that are set shorter are told to the list', async () => {
      const ann = user('session is to end soon')
      const cookie = await signedIn(ann)
      await visitOk(bench.manager, cookie, (session) => session.setTimeouts({ absolute: 45 }))
      bench.clock.ms += 46_000
      expect(await bench.manager.listSessions(ann)).toEqual([])
    })
  })
})

function gate(): { isOpen: Promise<void>; open: () => void } {
  let open!: () => void
  const isOpen = new Promise<void>((resolve) => (open = resolve))
  return { isOpen, open }
}
