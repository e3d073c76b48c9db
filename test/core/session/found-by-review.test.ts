import { describe, expect, it } from 'vitest'
import { StoreUnavailableError, type SessionOptions } from '../../../src/core/index.ts'
import { openRequest } from '../../support/open-request.ts'
import { stores } from '../../support/stores.ts'
import { TamperedStore } from '../../support/tampered-store.ts'
import { useUsers } from '../../support/users.ts'
import { visitOk } from '../../support/visit.ts'

const BUDGET_MS = 600
/** For a busy machine; well under another budget. */
const MARGIN_MS = 450
const HOUR = 3_600
const DAY = 86_400

/** What a review of sign-ins found, each in as few steps as it takes. */
describe.each(stores)('found by the review of sign-ins on $name', ({ open }) => {
  const opened = open()
  const bench = useUsers(opened)

  const lost = (operation: string) => new StoreUnavailableError(operation, new Error('tampered with'))
  const passDays = (days: number) => (bench.clock.ms += days * DAY * 1000)

  /** Another application server, with a network of its own. */
  function elsewhere(options: SessionOptions = {}) {
    const store = new TamperedStore(opened.current)
    return { store, manager: bench.another({ store, ...options }) }
  }

  /** A device, and its end, which the store has made, and whose reply is still on its way. */
  async function revocationUnderWay() {
    const { mark } = await bench.keysOf(await bench.signIn(bench.user, { label: 'first' }))
    const [first] = await bench.aside.listSessions(bench.user)
    const [made, answered] = [gate(), gate()]
    bench.store.after = (operation, key) => {
      if (operation !== 'replace' || key !== mark) return undefined
      bench.store.after = () => {}
      made.open()
      return answered.isOpen
    }
    const revoked = bench.manager.revoke(bench.user, first!.id)
    await made.isOpen
    return { mark, revoked, answer: answered.open }
  }

  describe('what is asked of a list', () => {
    const later = (label: string) =>
      visitOk(bench.aside, undefined, (session) => session.signIn(bench.user, { label }))

    it('E9: a revokeAll that finds nothing to do in a list older than its call asks again', async () => {
      const { revoked, answer } = await revocationUnderWay()
      const { cookie } = await later('answered before revokeAll')
      const all = bench.manager.revokeAll(bench.user)
      await nextTurn()
      answer()
      await Promise.all([revoked, all])
      expect(await bench.userOf(cookie)).toBeUndefined()
      expect(await bench.labelsOf(bench.user)).toEqual([])
    })

    it('E9: a revokeAll that comes while another asks is not answered with what that one is told', async () => {
      const { mark } = await bench.keysOf(await bench.signIn(bench.user))
      await bench.aside.revokeAll(bench.user)
      const [read, answered] = [gate(), gate()]
      bench.store.after = (operation, key) => {
        if (operation !== 'get' || key !== mark) return undefined
        bench.store.after = () => {}
        read.open()
        return answered.isOpen
      }
      const nobody = bench.manager.revoke(bench.user, 'x'.repeat(22))
      await read.isOpen
      const { cookie } = await later('answered before revokeAll')
      const all = bench.manager.revokeAll(bench.user)
      await nextTurn()
      answered.open()
      await Promise.all([nobody, all])
      expect(await bench.userOf(cookie)).toBeUndefined()
    })

    it('E5, E9: setTimeouts of a session that is not in a list older than it asks again, and is saved', async () => {
      const { revoked, answer } = await revocationUnderWay()
      const { cookie } = await later('listed')
      const request = await openRequest(bench.manager, cookie, (session) => {
        session.set('n', 1)
        session.setTimeouts({ idle: 10 * DAY })
      })
      const committing = request.commit()
      await nextTurn()
      answer()
      const { error, setCookie } = await committing
      await revoked
      expect(error).toBeUndefined()
      expect(setCookie).toBeDefined()
      expect(await bench.read(cookie)).toEqual({ n: 1 })
    })
  })

  describe('a sign-in that fails', () => {
    it('E9: leaves no entry, though the list is known from before it and others wait for it', async () => {
      const cart = await bench.begin({ cart: ['rope'] })
      const request = await openRequest(bench.manager, cart, (session) =>
        session.signIn(bench.user, { label: 'ghost' }),
      )
      const { mark, revoked, answer } = await revocationUnderWay()
      const held = bench.store.after
      let added = gate()
      let replies = 0
      bench.store.after = (operation, key) => {
        if (operation === 'add') added.open()
        // Of the swap of both, and of what is to settle it.
        if (key === mark && replies++ < 2) throw lost(operation)
        return held(operation, key)
      }
      const committing = request.commit()
      await added.isOpen
      await nextTurn()
      added = gate()
      const other = bench.signIn(bench.user, { label: 'other' })
      await added.isOpen
      await nextTurn()
      answer()
      await revoked
      expect((await committing).error).toBeInstanceOf(StoreUnavailableError)
      const cookie = await other
      await expect.poll(() => bench.labelsOf(bench.user)).toEqual(['other'])
      expect(await bench.userOf(cookie)).toBe(bench.user)
    })

    it('E9: leaves no entry, whichever id it went out under', async () => {
      const { mark } = await bench.keysOf(await bench.signIn(bench.user, { label: 'first' }))
      const replace = bench.store.replace
      const swaps: (() => Promise<unknown>)[] = []
      bench.store.replace = async (key, bytes, ttl, version) => {
        if (key !== mark || swaps.length === 2) return replace(key, bytes, ttl, version)
        const copy = new Uint8Array(bytes)
        swaps.push(() => opened.current.replace(key, copy, ttl, version))
        // The first arrives late: ahead of the second, which has another id.
        if (swaps.length === 2) await swaps[0]!()
        throw lost('replace')
      }
      await expect(bench.signIn(bench.user, { label: 'ghost' })).rejects.toThrow(StoreUnavailableError)
      expect(swaps).toHaveLength(2)
      await expect.poll(() => bench.labelsOf(bench.user)).toEqual(['first'])
    })

    it('F2: takes back what it did in no more time than a commit may take', async () => {
      const { mark } = await bench.keysOf(await bench.signIn(bench.user))
      const cart = await bench.begin({ cart: ['rope'] })
      const request = await openRequest(bench.manager, cart, (session) => session.signIn(bench.user))
      await visitOk(bench.aside, cart, (session) => session.destroy())
      let isListed = false
      bench.store.before = (operation, key) => {
        if (key === mark) return isListed ? new Promise(() => {}) : undefined
        isListed ||= operation === 'replace'
        return operation === 'add' ? undefined : after(260)
      }
      const startedAt = performance.now()
      const { error, setCookie } = await request.commit()
      expect(performance.now() - startedAt).toBeLessThan(BUDGET_MS + MARGIN_MS)
      expect(isListed).toBe(true)
      expect(error).toBeDefined()
      expect(setCookie).toBeUndefined()
    })
  })

  describe('the cap', () => {
    it('E9: is not reached by a double click, which pushes out nobody', async () => {
      const options = { maxSessionsPerUser: 2 }
      const phone = await bench.signIn(bench.user, { label: 'phone' })
      const { mark } = await bench.keysOf(phone)
      bench.clock.ms += 60_000
      const cart = await bench.begin({ cart: ['rope'] })
      const [slow, fast] = [elsewhere(options), elsewhere(options)]
      const click = ({ manager }: typeof slow) =>
        openRequest(manager, cart, (session) => session.signIn(bench.user, { label: 'laptop' }))
      const [first, second] = [await click(slow), await click(fast)]
      const [listed, goesOn] = [gate(), gate()]
      slow.store.after = (operation, key) => {
        if (operation !== 'replace' || key !== mark) return undefined
        listed.open()
        return goesOn.isOpen
      }
      const committing = first.commit()
      await listed.isOpen
      const answers = [await second.commit()]
      goesOn.open()
      answers.push(await committing)
      expect(answers.map(({ error }) => error)).toEqual([undefined, undefined])
      expect(answers[0]!.cookie).toBe(answers[1]!.cookie)
      expect((await bench.labelsOf(bench.user)).toSorted()).toEqual(['laptop', 'phone'])
      expect(await bench.userOf(phone)).toBe(bench.user)
    })

    it.each([90, 110])('E9: is kept at %i ms a round trip', async (milliseconds) => {
      const { store, manager } = elsewhere({ maxSessionsPerUser: 1 })
      await bench.signIn(bench.user, { label: 'phone' })
      const cart = await bench.begin({ cart: ['rope'] })
      store.before = () => after(milliseconds)
      await visitOk(manager, cart, (session) => session.signIn(bench.user, { label: 'laptop' }))
      // The commit does not wait longer for it than it may take.
      await expect.poll(() => bench.labelsOf(bench.user)).toEqual(['laptop'])
      expect(bench.events()).not.toContain('store-error')
    })
  })

  describe("a session's entry", () => {
    it('E10: is told the timeouts that the session has by now, with when it was last seen', async () => {
      const before = bench.another({ idleTimeout: HOUR })
      const since = bench.another({ idleTimeout: DAY })
      const { cookie } = await visitOk(before, undefined, (session) => session.signIn(bench.user))
      bench.clock.ms += (HOUR / 2) * 1000
      await visitOk(since, cookie, (session) => session.userId())
      bench.clock.ms += 5 * HOUR * 1000
      expect(await bench.labelsOf(bench.user)).toHaveLength(1)
      expect((await visitOk(since, cookie, (session) => session.userId())).result).toBe(bench.user)
    })

    it('E10: does not end a session that lives longer than two requests that set timeouts at once left in it', async () => {
      const options = { idleTimeout: false, absoluteTimeout: 14 * DAY } as const
      const [long, short] = [elsewhere(options), elsewhere(options)]
      const { cookie } = await visitOk(long.manager, undefined, (session) => session.signIn(bench.user))
      const { record } = await bench.keysOf(cookie)
      const setting = ({ manager }: typeof long, absolute: number) =>
        openRequest(manager, cookie, (session) => session.setTimeouts({ absolute }))
      const [first, second] = [await setting(long, 90 * DAY), await setting(short, 20 * DAY)]
      const [announced, saves, saved, tells] = [gate(), gate(), gate(), gate()]
      long.store.before = (operation, key) => {
        if (operation !== 'replace' || key !== record) return undefined
        announced.open()
        return saves.isOpen
      }
      short.store.after = (operation, key) => {
        if (operation !== 'replace' || key !== record) return undefined
        saved.open()
        return tells.isOpen
      }
      const lasting = first.commit()
      await announced.isOpen
      const ending = second.commit()
      await saved.isOpen
      saves.open()
      expect((await lasting).setCookie).toContain(`Max-Age=${90 * DAY}`)
      tells.open()
      expect((await ending).error).toBeUndefined()
      const { manager } = elsewhere(options)
      const userOf = async () => (await visitOk(manager, cookie, (session) => session.userId())).result
      const signInAgain = () => visitOk(manager, undefined, (session) => session.signIn(bench.user))
      // The list says 20 days; it is written half a day and two days later.
      passDays(20.5)
      await signInAgain()
      expect(await userOf()).toBe(bench.user)
      passDays(1.5)
      await signInAgain()
      expect(await userOf()).toBe(bench.user)
      expect(await manager.listSessions(bench.user)).toHaveLength(3)
    })

    it('G3: who signs in again stays in the list of the old secret, and is signed out when that goes', async () => {
      const [old, anew] = ['the old secret of this test, long enough', 'the new secret of this test, long enough']
      const options = { idleTimeout: false, absoluteTimeout: 14 * DAY } as const
      const only = bench.another({ ...options, secret: old })
      const both = bench.another({ ...options, secret: [anew, old] })
      const since = bench.another({ ...options, secret: anew })
      const { cookie } = await visitOk(only, undefined, (session) => session.signIn(bench.user, { label: 'his' }))
      passDays(10)
      const again = await visitOk(both, cookie, (session) => session.signIn(bench.user, { label: 'his' }))
      expect(await both.listSessions(bench.user)).toHaveLength(1)
      passDays(5)
      expect((await visitOk(both, again.cookie, (session) => session.userId())).result).toBe(bench.user)
      expect((await visitOk(since, again.cookie, (session) => session.userId())).result).toBeUndefined()
    }) // prettier-ignore
  })

  it("E4: a save in doubt that finds its user's session unlisted is unknown: a sign-in over it may have carried it over", async () => {
    const cookie = await bench.signIn(bench.user)
    const { record } = await bench.keysOf(cookie)
    const request = await openRequest(bench.manager, cookie, async (session) => {
      session.set('used', true)
      session.setTimeouts({ absolute: 30 * DAY })
      bench.store.after = (operation, key) => {
        if (key === record) throw lost(operation)
      }
      await expect(session.save()).rejects.toThrow(StoreUnavailableError)
      bench.forget()
      const others = await visitOk(bench.aside, cookie, (other) => other.signIn(bench.other, { keep: ['used'] }))
      expect(await bench.read(others.cookie)).toEqual({ used: true })
      await expect(session.save()).rejects.toThrow(StoreUnavailableError)
    })
    expect((await request.commit()).setCookie).toBeUndefined()
  }) // prettier-ignore
})

function gate(): { isOpen: Promise<void>; open: () => void } {
  let open!: () => void
  const isOpen = new Promise<void>((resolve) => (open = resolve))
  return { isOpen, open }
}

/** By then what was called stands in the queue of its list. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

function after(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds)
  })
}
