import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createSessionManager, MemoryStore, StoreUnavailableError } from '../../../src/core/index.ts'
import type { Session, SessionManager, SessionOptions } from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { secret, serverStores, stores } from '../../support/stores.ts'
import { failing, TamperedStore } from '../../support/tampered-store.ts'
import { visit, visitOk } from '../../support/visit.ts'

const HOUR = 3_600
const DAY = 86_400
const POLL = { renew: () => false }

/** As `visitOk`, by a request that is no use. */
async function poll<Result>(
  manager: SessionManager,
  cookie: string,
  handler: (session: Session) => Result | Promise<Result>,
) {
  const done = await visit(manager, cookie, handler, {}, POLL)
  if (done.error) throw done.error
  return done
}

describe.each(stores)('a request that is no use, on $name', ({ open }) => {
  const bench = useBench(open(), { idleTimeout: HOUR, absoluteTimeout: DAY })

  it('C6, S63: reads in one round trip, and restarts no time to live', async () => {
    const cookie = await bench.begin({ theme: 'dark' })
    const { result } = await poll(bench.manager, cookie, (session) => session.get('theme'))
    expect(result).toBe('dark')
    expect(bench.store.operations).toEqual(['get'])
    expect(bench.store.ttls).toEqual([])
  })

  it('C6: is no second touch either, where the session has an idle timeout of its own', async () => {
    const cookie = await bench.begin({ theme: 'dark' })
    await visitOk(bench.manager, cookie, (session) => session.setTimeouts({ idle: 2 * HOUR }))
    bench.forget()
    await poll(bench.manager, cookie, (session) => session.get('theme'))
    expect(bench.store.operations).toEqual(['get'])
    expect(bench.store.ttls).toEqual([])
  })

  it('C6: leaves the list as it is: no lastSeenAt moves', async () => {
    const user = `watcher on ${bench.store.constructor.name} ${open.name} ${Math.random()}`
    const { cookie } = await visitOk(bench.manager, undefined, (session) => session.signIn(user))
    const lastSeenAt = async () => (await bench.manager.listSessions(user))[0]?.lastSeenAt
    const signedInAt = bench.clock.ms
    bench.clock.ms += 700_000
    await poll(bench.manager, cookie, (session) => session.userId())
    expect(await lastSeenAt()).toBe(signedInAt)
    await visitOk(bench.manager, cookie, (session) => session.userId())
    expect(await lastSeenAt()).toBe(bench.clock.ms)
  })

  it('C6: writes and commits like any other, and a write restarts the time to live', async () => {
    const cookie = await bench.begin({ theme: 'dark' })
    await poll(bench.manager, cookie, (session) => session.update('polls', (n: number = 0) => n + 1))
    expect(bench.store.operations).toEqual(['get', 'replace'])
    expect(bench.store.ttls).toEqual([HOUR])
    const { cookie: another } = await poll(bench.manager, cookie, (session) => session.regenerateId())
    expect(await bench.read(another)).toEqual({ theme: 'dark', polls: 1 })
    await poll(bench.manager, another, (session) => session.destroy())
    expect(await bench.read(another)).toEqual({})
  })

  it('C6: is asked about late, once, and not at all where nothing is read', async () => {
    const cookie = await bench.begin({ theme: 'dark' })
    let asked = 0
    let isUse = true
    const renew = () => {
      asked++
      return isUse
    }
    const asks = async (handler: (session: Session) => unknown) => {
      asked = 0
      await visit(bench.manager, cookie, handler, {}, { renew })
      return asked
    }
    expect(await asks(() => {})).toBe(0)
    expect(await asks((session) => Promise.all([session.get('theme'), session.entries()]))).toBe(1)
    expect(await asks((session) => session.set('theme', 'light'))).toBe(1)
    bench.forget()
    await asks((session) => {
      isUse = false
      return session.get('theme')
    })
    expect(bench.store.ttls).toEqual([])
  })

  it('C6: what renew throws rejects the read, and a commit that has to read; a later read asks again', async () => {
    const cookie = await bench.begin({ theme: 'dark' })
    const failure = new Error('whose request?')
    let throwing = 1
    const renew = () => {
      if (throwing-- > 0) throw failure
      return true
    }
    const { result } = await visit(
      bench.manager,
      cookie,
      async (session) => {
        await expect(session.get('theme')).rejects.toBe(failure)
        return session.get('theme')
      },
      {},
      { renew },
    )
    expect(result).toBe('dark')
    throwing = 1
    const written = await visit(
      bench.manager,
      cookie,
      (session) => session.set('theme', 'light'),
      {},
      { renew },
    )
    expect(written.error).toBe(failure)
    expect(await bench.read(cookie)).toEqual({ theme: 'dark' })
  })

  it.each([
    ['a promise', async () => false, 'a promise; await it'],
    ['a text', () => 'no', '"no"'],
    ['null', () => null, 'null'],
  ])('C6: refuses %s for an answer', async (_, renew, got) => {
    const cookie = await bench.begin({ theme: 'dark' })
    const session = bench.manager.open(cookie, { renew: renew as never })
    const refusal = new TypeError(`renew: expected true or false, got ${got}`)
    await expect(session.get('theme')).rejects.toEqual(refusal)
  })
})

describe.each(stores)('expiresAt on $name', ({ open }) => {
  const bench = useBench(open(), { idleTimeout: HOUR, absoluteTimeout: DAY })
  const after = (seconds: number) => bench.clock.ms + seconds * 1000
  const expiresAt = async (cookie: string | undefined) =>
    (await visitOk(bench.manager, cookie, (session) => session.expiresAt())).result

  it('C7: costs what any first read does, and nothing after it', async () => {
    const cookie = await bench.begin({ theme: 'dark' })
    await visitOk(bench.manager, cookie, (session) => session.expiresAt())
    expect(bench.store.operations).toEqual(['get'])
    bench.forget()
    const { result } = await visitOk(bench.manager, cookie, async (session) => {
      await session.get('theme')
      bench.clock.ms += 5_000
      return session.expiresAt()
    })
    expect(bench.store.operations).toEqual(['get'])
    expect(result, 'from the read on').toBe(after(HOUR - 5))
  })

  it('C7: the idle timeout from this read on, until the absolute one is nearer', async () => {
    const cookie = await bench.begin({ theme: 'dark' })
    const deadline = after(DAY)
    bench.clock.ms += 12 * HOUR * 1000
    expect(await expiresAt(cookie)).toBe(after(HOUR))
    bench.clock.ms += 11.5 * HOUR * 1000
    expect(await expiresAt(cookie)).toBe(deadline)
  })

  it('C7: by the timeouts of its own, and by the absolute one alone where it does not run idle', async () => {
    const cookie = await bench.begin({ theme: 'dark' })
    const deadline = after(DAY)
    await visitOk(bench.manager, cookie, (session) => session.setTimeouts({ idle: 2 * HOUR }))
    bench.clock.ms += 60_000
    expect(await expiresAt(cookie)).toBe(after(2 * HOUR))
    await visitOk(bench.manager, cookie, (session) => session.setTimeouts({ idle: false }))
    expect(await expiresAt(cookie)).toBe(deadline)
  })

  it('C7: of a request that did not renew, the absolute timeout alone, until it writes', async () => {
    const cookie = await bench.begin({ theme: 'dark' })
    const deadline = after(DAY)
    bench.clock.ms += 60_000
    await poll(bench.manager, cookie, async (session) => {
      expect(await session.expiresAt()).toBe(deadline)
      session.set('theme', 'light')
      expect(await session.expiresAt()).toBe(deadline)
      await session.save()
      expect(await session.expiresAt()).toBe(after(HOUR))
    })
  })

  it.each<[string, (session: Session) => void, number]>([
    ['setTimeouts({ idle })', (session) => session.setTimeouts({ idle: 2 * HOUR }), 2 * HOUR],
    ['setTimeouts({ absolute })', (session) => session.setTimeouts({ absolute: 60 }), 60],
    ['signIn', (session) => session.signIn('u1'), HOUR],
    ['signIn with timeouts', (session) => session.signIn('u1', { idle: false, absolute: 2 * DAY }), 2 * DAY],
    ['regenerateId', (session) => session.regenerateId(), HOUR],
  ])('C7: %s counts at once, and the same when it is saved', async (_, change, seconds) => {
    for (const options of [POLL, {}]) {
      const cookie = await bench.begin({ theme: 'dark' })
      bench.clock.ms += 60_000
      const handler = async (session: Session) => {
        await session.get('theme')
        change(session)
        const pending = await session.expiresAt()
        await session.save()
        return [pending, await session.expiresAt()]
      }
      const done = await visit(bench.manager, cookie, handler, {}, options)
      expect(done.result).toEqual([after(seconds), after(seconds)])
      expect(await expiresAt(done.cookie)).toBe(after(seconds))
    }
  })

  it('C7: of a session that begins by signIn, at once; of one that begins with data, once it is saved', async () => {
    await visitOk(bench.manager, undefined, async (session) => {
      session.set('theme', 'dark')
      expect(await session.expiresAt()).toBeUndefined()
      await session.save()
      expect(await session.expiresAt()).toBe(after(HOUR))
    })
    await visitOk(bench.manager, undefined, async (session) => {
      session.signIn('u1', { idle: 3 * HOUR })
      expect(await session.expiresAt()).toBe(after(3 * HOUR))
    })
  })

  it('C7: undefined without a live session', async () => {
    expect(await expiresAt(undefined)).toBeUndefined()
    expect(await expiresAt(`__Host-session=${'a'.repeat(43)}`)).toBeUndefined()
    const cookie = await bench.begin({ theme: 'dark' })
    await visitOk(bench.manager, cookie, async (session) => {
      expect(await session.expiresAt()).toBe(after(HOUR))
      session.destroy()
      expect(await session.expiresAt()).toBeUndefined()
      session.setTimeouts({ idle: 2 * HOUR })
      session.set('theme', 'dark')
      expect(await session.expiresAt()).toBeUndefined()
      session.delete('theme')
      await session.save()
      expect(await session.expiresAt()).toBeUndefined()
    })
    expect(await expiresAt(cookie), 'ended').toBeUndefined()
    const old = await bench.begin({ theme: 'dark' })
    bench.clock.ms += DAY * 1000
    expect(await expiresAt(old), 'expired').toBeUndefined()
  })

  it('C7: rejects when the store cannot be asked, like any read', async () => {
    const cookie = await bench.begin({ theme: 'dark' })
    bench.store.before = failing('get', 1)
    await expect(bench.manager.open(cookie).expiresAt()).rejects.toThrow(StoreUnavailableError)
  })

  it('L2: may be written over by a spy, like any method', () => {
    const session = bench.manager.open(undefined)
    Object.assign(session, { expiresAt: async () => 5 })
    return expect(session.expiresAt()).resolves.toBe(5)
  })
})

describe('expiresAt as the next request finds it', () => {
  const clock = { ms: 0 }
  const now = () => clock.ms
  const begin = (options: SessionOptions = {}) => {
    clock.ms = 1_750_000_000_123
    const store = new MemoryStore({ now })
    return createSessionManager({ store, secret, now, idleTimeout: HOUR, absoluteTimeout: DAY, ...options })
  }
  const isLive = (manager: SessionManager, cookie: string) => manager.open(cookie, POLL).exists()

  it.each<[string, SessionOptions, (session: Session) => unknown]>([
    ['a read', {}, (session) => session.get('theme')],
    ['a read near the deadline', { absoluteTimeout: HOUR + 60 }, (session) => session.get('theme')],
    ['no idle timeout', { idleTimeout: false }, (session) => session.get('theme')],
    ['a save', {}, async (session) => {
      session.set('theme', 'light')
      clock.ms += 5_000
      await session.save()
    }],
    ['setTimeouts', {}, (session) => session.setTimeouts({ idle: 5 * HOUR, absolute: 3 * DAY })],
    ['a shorter absolute timeout', {}, (session) => session.setTimeouts({ absolute: 30 })],
    ['a sign-in', {}, (session) => session.signIn('u1', { idle: 2 * HOUR, absolute: 3 * HOUR })],
    ['regenerateId', {}, (session) => session.regenerateId()],
  ])('C7: after %s', async (_, options, act) => {
    const manager = begin(options)
    const { cookie } = await visitOk(manager, undefined, (session) => session.set('theme', 'dark'))
    clock.ms += 1_800_000
    const next = await visitOk(manager, cookie, async (session) => {
      await session.exists()
      await act(session)
      return session.expiresAt()
    })
    clock.ms = next.result! - 1
    expect(await isLive(manager, next.cookie)).toBe(true)
    clock.ms = next.result! + 1000
    expect(await isLive(manager, next.cookie)).toBe(false)
  }) // prettier-ignore
})

describe.each(serverStores)('use as the server of $name counts it', ({ open }) => {
  const opened = open()

  it('C6, S63: a session that is only polled runs idle; one that is used does not', async () => {
    const manager = createSessionManager({ store: opened.current, secret, idleTimeout: 3 })
    const begin = async () =>
      (await visitOk(manager, undefined, (session) => session.set('theme', 'dark'))).cookie
    const [polled, used] = [await begin(), await begin()]
    const end = Date.now() + 6_000
    let isPolledLive = true
    while (isPolledLive && Date.now() < end) {
      // memcached's clock stands still for a second, so what has few of them to live is used more often than that.
      await sleep(200)
      expect(await manager.open(used).exists()).toBe(true)
      isPolledLive = await manager.open(polled, POLL).exists()
    }
    expect(isPolledLive).toBe(false)
  })

  it('C7: expiresAt says to the second what the server was told', async () => {
    const watched = new TamperedStore(opened.current)
    const manager = createSessionManager({ store: watched, secret, idleTimeout: HOUR })
    const { cookie } = await visitOk(manager, undefined, (session) => session.set('theme', 'dark'))
    const { result } = await visitOk(manager, cookie, (session) => session.expiresAt())
    const left = await opened.secondsLeft(watched.keys[0]!)
    expect(Math.abs((result! - Date.now()) / 1000 - left)).toBeLessThanOrEqual(1)
  })
})
