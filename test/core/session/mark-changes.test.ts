import { describe, expect, it } from 'vitest'
import { stores } from '../../support/stores.ts'
import { failing } from '../../support/tampered-store.ts'
import { useUsers } from '../../support/users.ts'

const DEVICES = 50

describe.each(stores)("changes of one user's list at once, on $name", ({ open }) => {
  const store = open()
  const bench = useUsers(store, { maxSessionsPerUser: 100 })

  /** 50 at once, whose entries all wait for the first one's swap; `meanwhile` is done to the mark's writes. */
  async function signInAtOnce(meanwhile: (write: number) => unknown = () => {}) {
    const { mark } = await bench.keysOf(await bench.signIn(bench.user, { label: 'before' }))
    let [added, written] = [0, 0]
    let release!: () => void
    const allAdded = new Promise<void>((resolve) => (release = resolve))
    bench.store.after = async (operation, key) => {
      if (operation === 'add' && ++added === DEVICES) release()
      if (operation === 'replace' && key === mark) await meanwhile(++written)
    }
    bench.store.before = (operation, key) => (operation === 'replace' && key === mark ? allAdded : undefined)
    const labels = Array.from({ length: DEVICES }, (_, index) => `device ${index}`)
    const cookies = await Promise.all(labels.map((label) => bench.signIn(bench.user, { label })))
    bench.store.before = () => {}
    return { labels, cookies, written }
  }

  it('E10: 50 sign-ins at once are 50 entries, in two swaps at most', async () => {
    const { labels, cookies, written } = await signInAtOnce()
    expect(written).toBeLessThanOrEqual(2)
    expect(new Set(await bench.labelsOf(bench.user))).toEqual(new Set([...labels, 'before']))
    for (const cookie of cookies) expect(await bench.userOf(cookie)).toBe(bench.user)
  })

  it('E9: when the reply to their swap is lost, each is listed once and lives', async () => {
    const fail = failing('replace')
    const { labels, cookies } = await signInAtOnce((write) => (write === 1 ? fail('replace') : undefined))
    expect((await bench.labelsOf(bench.user)).toSorted()).toEqual([...labels, 'before'].toSorted())
    for (const cookie of cookies) expect(await bench.userOf(cookie)).toBe(bench.user)
  })

  it('E9: one that was revoked while its reply was lost has a fresh id, whoever sent it', async () => {
    const fail = failing('replace')
    let revoked: string[] = []
    const { labels, cookies } = await signInAtOnce(async (write) => {
      if (write !== 1) return
      revoked = (await bench.aside.listSessions(bench.user)).map(({ id }) => id)
      await bench.aside.revokeAll(bench.user)
      fail('replace')
    })
    expect(revoked.length).toBeGreaterThan(2)
    const listed = await bench.aside.listSessions(bench.user)
    expect(listed.filter(({ id }) => revoked.includes(id))).toEqual([])
    expect(listed.map(({ label }) => label).toSorted()).toEqual(labels.toSorted())
    for (const cookie of cookies) expect(await bench.userOf(cookie)).toBe(bench.user)
  })

  it('E9: when the first of them is told of an outage, the others are listed under the ids that they have', async () => {
    const { mark } = await bench.keysOf(await bench.signIn(bench.user))
    let left = 2
    bench.store.before = (operation, key) => {
      if (key === mark && operation === 'replace' && left-- > 0) failing('replace')('replace')
    }
    const signIns = Array.from({ length: 10 }, () => bench.signIn(bench.user))
    const answers = await Promise.allSettled(signIns)
    const cookies = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    expect(cookies.length).toBeGreaterThan(5)
    for (const cookie of cookies) expect(await bench.userOf(cookie)).toBe(bench.user)
  })

  it('E9: others go on when the one before them gives up', async () => {
    const { mark } = await bench.keysOf(await bench.signIn(bench.user))
    const [first, second] = await Promise.all([bench.signIn(bench.user), bench.signIn(bench.user)])
    let left = 2
    bench.store.before = (operation, key) => {
      if (key === mark && operation === 'replace' && left-- > 0) failing('replace')('replace')
    }
    const ends = await Promise.allSettled(
      (await bench.aside.listSessions(bench.user)).map(({ id }) => bench.manager.revoke(bench.user, id)),
    )
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    bench.forget()
    expect(await bench.aside.listSessions(bench.user)).toHaveLength(1)
    const alive = [await bench.userOf(first), await bench.userOf(second)]
    expect(alive.filter((user) => user !== undefined).length).toBeLessThanOrEqual(1)
  })
})
