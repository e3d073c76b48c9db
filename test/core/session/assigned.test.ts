import { describe, expect, it } from 'vitest'
import { createSessionManager } from '../../../src/core/index.ts'

const open = () => createSessionManager().open(undefined) as any

describe('a property written on a session', () => {
  it.each<[string, (session: any) => unknown]>([
    ['in sloppy code', new Function('session', "session.userId = 'u1'") as never],
    ['in strict code', (session) => (session.userId = 'u1')],
    ['counted up', (session) => session['userId']++],
    ['by Object.assign', (session) => Object.assign(session, { userId: 'u1' })],
    ['by Reflect.set', (session) => Reflect.set(session, 'userId', 'u1')],
    ['by ??=', (session) => (session.userId ??= 'u1')],
    ['on an object that inherits from it', (session) => (Object.create(session).userId = 'u1')],
  ])('L2: throws and says what to write: %s', async (_, write) => {
    const session = open()
    expect(() => write(session)).toThrow(
      new TypeError("a session has no property userId: write session.set('userId', value)"),
    )
    expect(Object.keys(session)).toEqual([])
    session.set('userId', 'u1')
    expect(await session.get('userId')).toBe('u1')
  })

  it('L2: whatever it is called', () => {
    const session = open()
    for (const name of ['__proto__', 'constructor2', '0', '#state', Symbol('user')]) {
      expect(() => (session[name] = {})).toThrow(/session\.set/)
    }
    expect(() => (session['a\nb'] = 1)).toThrow(/property a\\u000ab:/)
  })

  it("L2: the session's own methods may be replaced, as spies do", async () => {
    const session = open()
    session.get = async () => 'spied'
    expect(await session.get('userId')).toBe('spied')
    delete session.get
    expect(await session.get('userId')).toBeUndefined()
  })

  it('L2: reading is harmless', () => {
    const session = open()
    expect([JSON.stringify(session), { ...session }, session.userId, 'userId' in session]).toEqual([
      '{}',
      {},
      undefined,
      false,
    ])
    expect(session).toBeInstanceOf(Object)
    expect(String(session)).toBe('[object Object]')
  })
})
