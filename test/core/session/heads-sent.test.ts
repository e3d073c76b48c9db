import { describe, expect, it } from 'vitest'
import type { Session } from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { stores } from '../../support/stores.ts'
import { visit } from '../../support/visit.ts'

describe.each(stores)('a response whose head has left, on $name', ({ open }) => {
  const bench = useBench(open())
  const late = { canSetHeaders: () => false }
  const lost = expect.objectContaining({ code: 'ERR_SESSION_HEADERS_SENT' })

  it.each<[string, (session: Session) => unknown]>([
    ['by a write', (session) => session.set('user', 'u1')],
    ['by an update', (session) => session.update('views', (n = 0) => n + 1)],
    ['by a sign-in', (session) => (session.regenerateId(), session.set('user', 'u1'))],
  ])('D10, S65: begins no session %s, and says so', async (_, change) => {
    const { error, setCookie } = await visit(bench.manager, undefined, change, {}, late)
    expect(error).toEqual(lost)
    expect(setCookie).toBeUndefined()
    expect(bench.events()).toEqual(['cookie-lost'])
    expect(bench.store.operations).toEqual([])
  })

  it('D10: save() rejects with it as well, and nothing is written', async () => {
    const session = bench.manager.open(null, late)
    session.set('user', 'u1')
    await expect(session.save()).rejects.toEqual(lost)
    expect(bench.store.operations).toEqual([])
  })

  it('D10, S65: regenerates no token, and leaves the old one good', async () => {
    const cookie = await bench.begin({ user: 'u1' })
    const { error } = await visit(
      bench.manager,
      cookie,
      (session) => (session.regenerateId(), session.set('user', 'u2')),
      {},
      late,
    )
    expect(error).toEqual(lost)
    expect(bench.store.operations).toEqual(['get'])
    expect(await bench.read(cookie)).toEqual({ user: 'u1' })
  })

  it('D10: saves changes to a session that exists, and touches no header', async () => {
    const cookie = await bench.begin({ user: 'u1' })
    const untouchable = new Headers()
    untouchable.set = untouchable.append = untouchable.delete = () => expect.unreachable()
    const { error } = await visit(
      bench.manager,
      cookie,
      (session) => session.set('user', 'u2'),
      { headers: untouchable },
      late,
    )
    expect(error).toBeUndefined()
    expect(await bench.read(cookie)).toEqual({ user: 'u2' })
  })

  it('D10: carries destroy() out; the cookie that would have been cleared is told', async () => {
    const cookie = await bench.begin({ user: 'u1' })
    const { error } = await visit(bench.manager, cookie, (session) => session.destroy(), {}, late)
    expect(error).toBeUndefined()
    expect(bench.events()).toEqual(['loaded', 'destroyed', 'cookie-lost'])
    expect(await bench.read(cookie)).toEqual({})
  })

  it('D10: is noticed when it is asked for, not before', async () => {
    let hasLeft = false
    const session = bench.manager.open(null, { canSetHeaders: () => !hasLeft })
    session.set('user', 'u1')
    await session.save()
    hasLeft = true
    const headers = new Headers()
    await bench.manager.commit(session, () => ({ status: 200, headers }))
    expect([...headers]).toEqual([])
    expect(bench.events()).toEqual(['created', 'cookie-lost'])
  })
})
