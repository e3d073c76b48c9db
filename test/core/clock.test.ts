import { afterEach, describe, expect, it, vi } from 'vitest'
import { createSessionManager, MemoryStore } from '../../src/core/index.ts'
import { visit } from '../support/visit.ts'

const HOUR_MS = 3_600_000

describe('a clock that a test installs later', () => {
  afterEach(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })

  const put: [string, () => void][] = [
    ['Date.now replaced', () => {
      const later = Date.now() + HOUR_MS
      vi.spyOn(Date, 'now').mockImplementation(() => later)
    }],
    ['fake timers', () => void vi.useFakeTimers({ now: Date.now() + HOUR_MS, toFake: ['Date'] })],
  ] // prettier-ignore

  it.each(put)("C8: is seen by the manager's own store: %s", async (_, install) => {
    const manager = createSessionManager({ idleTimeout: 3599 })
    const { cookie } = await visit(manager, undefined, (session) => session.set('user', 'u1'))
    expect((await visit(manager, cookie, (session) => session.get('user'))).result).toBe('u1')
    install()
    expect((await visit(manager, cookie, (session) => session.get('user'))).result).toBeUndefined()
  })

  it.each(put)(
    'C8: ends a session at its absolute timeout, whatever the store keeps: %s',
    async (_, install) => {
      const manager = createSessionManager({
        store: new MemoryStore({ now: () => 0 }),
        absoluteTimeout: 3599,
        idleTimeout: false,
      })
      const { cookie } = await visit(manager, undefined, (session) => session.set('user', 'u1'))
      expect((await visit(manager, cookie, (session) => session.get('user'))).result).toBe('u1')
      install()
      expect((await visit(manager, cookie, (session) => session.get('user'))).result).toBeUndefined()
    },
  )

  it.each(put)('C8: is seen by a MemoryStore alone: %s', async (_, install) => {
    const store = new MemoryStore()
    await store.add('kept', new Uint8Array(1), 3601)
    await store.add('gone', new Uint8Array(1), 3599)
    install()
    expect([await store.get('kept', 1), await store.get('gone', 1)]).toEqual([expect.anything(), undefined])
  })
})
