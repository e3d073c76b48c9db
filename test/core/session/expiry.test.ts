import { describe, expect, it } from 'vitest'
import { createSessionManager, MemoryStore } from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { secret, serverStores, stores } from '../../support/stores.ts'
import { TamperedStore } from '../../support/tampered-store.ts'
import { visitOk } from '../../support/visit.ts'

const HOUR = 3_600
const DAY = 86_400

describe.each(stores)('expiry on $name', ({ open }) => {
  const bench = useBench(open(), { idleTimeout: HOUR, absoluteTimeout: DAY })

  const begin = async () =>
    (await visitOk(bench.manager, undefined, (session) => session.set('user', 'u1'))).cookie
  const isLive = async (cookie: string) =>
    (await visitOk(bench.manager, cookie, (session) => session.exists())).result

  it('C1: a load restarts the idle timeout in the same round trip, without a write or a cookie', async () => {
    const cookie = await begin()
    bench.forget()
    const { setCookie } = await visitOk(bench.manager, cookie, (session) => session.get('user'))
    expect(bench.store.operations).toEqual(['get'])
    expect(bench.store.ttls).toEqual([HOUR])
    expect(setCookie).toBeUndefined()
  })

  it('C1: a session with an idle timeout of its own is touched once more with that one', async () => {
    for (const idle of [HOUR, 2 * HOUR]) {
      const cookie = await begin()
      await visitOk(bench.manager, cookie, (session) => session.setTimeouts({ idle }))
      bench.forget()
      await visitOk(bench.manager, cookie, (session) => session.get('user'))
      expect(bench.store.operations).toEqual(['get', 'get'])
      expect(bench.store.ttls).toEqual([HOUR, idle])
    }
  })

  it('C1: without an idle timeout a read restarts the absolute one', async () => {
    const manager = bench.another({ idleTimeout: false })
    const { cookie } = await visitOk(manager, undefined, (session) => session.set('user', 'u1'))
    bench.clock.ms += (DAY - 1) * 1000
    bench.forget()
    await visitOk(manager, cookie, (session) => session.update('n', (n: number = 0) => n + 1))
    expect(bench.store.ttls).toEqual([DAY, 1])
  })

  it('C2: the absolute timeout is fixed at creation, whatever the store kept', async () => {
    const cookie = await begin()
    bench.clock.ms += (DAY - 1) * 1000
    await visitOk(bench.manager, cookie, (session) => session.set('user', 'u2'))
    expect(await isLive(cookie)).toBe(true)
    bench.clock.ms += 1000
    bench.forget()
    expect(await isLive(cookie)).toBe(false)
    expect(bench.events()).toEqual(['expired'])
    expect(bench.store.operations).toEqual(['get'])
    bench.clock.ms -= 1000
    expect(await isLive(cookie), 'another clock may have been wrong').toBe(true)
  })

  it('C2: regenerateId keeps the deadline, setTimeouts moves it counted from the call', async () => {
    const cookie = await begin()
    bench.clock.ms += (DAY - 10) * 1000
    const regenerated = await visitOk(bench.manager, cookie, (session) => session.regenerateId())
    expect(regenerated.setCookie).toContain('Max-Age=10;')
    const moved = await visitOk(bench.manager, regenerated.cookie, (session) =>
      session.setTimeouts({ absolute: 2 * DAY }),
    )
    expect(moved.setCookie).toContain(`Max-Age=${2 * DAY};`)
    bench.clock.ms += (2 * DAY - 1) * 1000
    expect(await isLive(moved.cookie)).toBe(true)
    bench.clock.ms += 1000
    expect(await isLive(moved.cookie)).toBe(false)
  })

  it('C3: writes live for the idle timeout or what is left of the absolute one, rounded up, never 0', async () => {
    const cookie = await begin()
    const write = () =>
      visitOk(bench.manager, cookie, (session) => session.update('n', (n: number = 0) => n + 1))
    bench.forget()
    await write()
    bench.clock.ms += (DAY - 1.5) * 1000
    await write()
    bench.clock.ms += 1.499 * 1000
    await write()
    expect(bench.store.ttls).toEqual([HOUR, HOUR, HOUR, 2, HOUR, 1])
  })

  it('C4: a browser that keeps the cookie for longer than it was told gains nothing', async () => {
    const { cookie, setCookie } = await visitOk(bench.manager, undefined, (session) => {
      session.set('user', 'u1')
      session.setTimeouts({ persistent: false })
    })
    expect(setCookie).not.toContain('Max-Age')
    bench.clock.ms += (DAY - 1) * 1000
    expect(await isLive(cookie)).toBe(true)
    bench.clock.ms += 1000
    expect(await isLive(cookie)).toBe(false)
  })

  it('S21: Max-Age is whole seconds, at most 400 days, though the clock was set back', async () => {
    const manager = bench.another({ absoluteTimeout: 400 * DAY })
    bench.clock.ms += 0.25
    const { cookie, setCookie } = await visitOk(manager, undefined, (session) => session.set('user', 'u1'))
    expect(setCookie).toContain('; Max-Age=34560000;')
    bench.clock.ms -= DAY * 1000
    const { setCookie: again } = await visitOk(manager, cookie, (session) =>
      session.setTimeouts({ persistent: true }),
    )
    expect(again).toContain('; Max-Age=34560000;')
    bench.clock.ms += 2 * DAY * 1000 - 0.75
    const { setCookie: later } = await visitOk(manager, cookie, (session) => session.regenerateId())
    expect(later).toContain(`; Max-Age=${399 * DAY + 1};`)
  })

  it('C5: setTimeouts survives loads, saves and regenerateId, and sends the cookie again', async () => {
    const cookie = await begin()
    const remembered = await visitOk(bench.manager, cookie, (session) =>
      session.setTimeouts({ idle: 7 * DAY, absolute: 30 * DAY, persistent: true }),
    )
    expect(remembered.cookie).toBe(cookie)
    expect(remembered.setCookie).toContain(`Max-Age=${30 * DAY};`)
    const saved = await visitOk(bench.manager, cookie, (session) => session.set('user', 'u2'))
    expect(saved.setCookie).toBeUndefined()
    const regenerated = await visitOk(bench.manager, cookie, (session) => session.regenerateId())
    bench.forget()
    await visitOk(bench.manager, regenerated.cookie, (session) => session.set('user', 'u3'))
    expect(bench.store.ttls).toEqual([HOUR, 7 * DAY, 7 * DAY])
  })

  it('C5: a session cookie for this session only, where the manager keeps them', async () => {
    const { setCookie } = await visitOk(bench.manager, undefined, (session) => {
      session.setTimeouts({ persistent: false })
      session.set('user', 'u1')
    })
    expect(setCookie).toBeDefined()
    expect(setCookie).not.toContain('Max-Age')
  })

  it('C5, L1: wrong timeouts throw, and nothing is lost', async () => {
    await visitOk(bench.manager, undefined, (session) => {
      for (const wrong of [0, -1, 1.5, NaN, Infinity, 34_560_001]) {
        expect(() => session.setTimeouts({ absolute: wrong })).toThrow(RangeError)
        expect(() => session.setTimeouts({ idle: wrong })).toThrow(RangeError)
      }
      expect(() => session.setTimeouts({ idle: HOUR - 1 })).toThrow(
        new RangeError(
          "idle: expected at least the manager's 3600 seconds, got 3599; for a stricter area make a manager of its own",
        ),
      )
      expect(() => session.setTimeouts({ idle: '1' as never })).toThrow(TypeError)
      expect(() => session.setTimeouts({ persistent: 'no' as never })).toThrow(TypeError)
      expect(() => session.setTimeouts({ idleTimeout: 5 } as never)).toThrow(TypeError)
      for (const [strange, got] of [
        [Promise.resolve({ idle: 5 }), 'a promise; await it'],
        [new Map([['idle', 5]]), 'an instance of Map'],
        [null, 'null'],
      ]) {
        const refusal = new TypeError(`setTimeouts: expected a plain object, got ${got as string}`)
        expect(() => session.setTimeouts(strange as never)).toThrow(refusal)
      }
      session.setTimeouts({ absolute: 34_560_000 })
      session.set('user', 'u1')
    })
    expect(bench.events()).toEqual(['created'])
  })

  it('C5: where the manager has no idle timeout, no session can have one: a load would not hold it to that', async () => {
    const manager = bench.another({ idleTimeout: false })
    const { cookie } = await visitOk(manager, undefined, (session) => {
      for (const idle of [1, HOUR, 34_560_000]) {
        expect(() => session.setTimeouts({ idle })).toThrow(
          /^idle: expected false, as the manager has it, got/,
        )
      }
      session.setTimeouts({ idle: false })
      session.set('user', 'u1')
    })
    bench.forget()
    expect((await visitOk(manager, cookie, (session) => session.exists())).result).toBe(true)
    expect(new Set(bench.store.ttls)).toEqual(new Set([DAY]))
  })
})

describe('expiry as MemoryStore counts it', () => {
  it('S12: the store ends an idle session, and nothing but its use puts that off', async () => {
    let ms = Date.now()
    const now = () => ms
    const store = new MemoryStore({ now })
    const manager = createSessionManager({ store, secret, now, idleTimeout: HOUR })
    const begin = async () =>
      (await visitOk(manager, undefined, (session) => session.set('user', 'u1'))).cookie
    const [used, idle] = [await begin(), await begin()]
    const isLive = async (cookie: string) =>
      (await visitOk(manager, cookie, (session) => session.exists())).result
    for (let hours = 0; hours < 3; hours++) {
      ms += (HOUR - 1) * 1000
      expect(await isLive(used)).toBe(true)
      if (hours === 0) await visitOk(manager, idle, () => 'a page that does not touch the session')
      if (hours === 0) continue
      expect(await isLive(idle)).toBe(false)
    }
    ms += HOUR * 1000
    expect(await isLive(used)).toBe(false)
  })
})

describe.each(serverStores)('expiry as the server of $name counts it', ({ open }) => {
  const opened = open()

  it.each([29, 30, 31, 400])('C3: a session of %i days lives that long', async (days) => {
    const watched = new TamperedStore(opened.current)
    const seconds = days * DAY
    const manager = createSessionManager({
      store: watched,
      secret,
      idleTimeout: seconds,
      absoluteTimeout: seconds,
    })
    const leftNow = () => opened.secondsLeft(watched.keys[0]!)
    const { cookie } = await visitOk(manager, undefined, (session) => session.set('user', 'u1'))
    expect(Math.abs((await leftNow()) - seconds)).toBeLessThan(5)
    const { result } = await visitOk(manager, cookie, (session) => session.get('user'))
    expect(result).toBe('u1')
    expect(Math.abs((await leftNow()) - seconds)).toBeLessThan(5)
  })
})
