import { describe, expect, it, vi } from 'vitest'
import { createSessionManager, type Session } from '../../../src/core/index.ts'

const open = () => createSessionManager().open(undefined) as any

describe('a property written on a session', () => {
  const writes = (name: string): [string, (session: any) => unknown][] => [
    ['in sloppy code', new Function('session', `session.${name} = 'u1'`) as never],
    ['in strict code', (session) => (session[name] = 'u1')],
    ['counted up', (session) => session[name]++],
    ['by Object.assign', (session) => Object.assign(session, { [name]: 'u1' })],
    ['by Reflect.set', (session) => Reflect.set(session, name, 'u1')],
    ['on an object that inherits from it', (session) => (Object.create(session)[name] = 'u1')],
  ]

  it.each<[string, (session: any) => unknown]>([
    ...writes('user'),
    ['by ??=', (session) => (session.user ??= 'u1')],
  ])('L2: throws and says what to write: %s', async (_, write) => {
    const session = open()
    expect(() => write(session)).toThrow(
      new TypeError("a session has no property user: write session.set('user', value)"),
    )
    expect(Object.keys(session)).toEqual([])
    session.set('user', 'u1')
    expect(await session.get('user')).toBe('u1')
  })

  it.each(writes('userId'))('L2: a user id written says how to sign in: %s', async (_, write) => {
    const session = open()
    expect(() => write(session)).toThrow(
      new TypeError('a session has no property userId to write: write session.signIn(userId)'),
    )
    expect(Object.keys(session)).toEqual([])
    session.signIn('u1')
    expect(await session.userId()).toBe('u1')
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
    const spied = vi.spyOn(session as Session, 'userId').mockResolvedValue('spied')
    expect(await session.userId()).toBe('spied')
    spied.mockRestore()
    expect(await session.userId()).toBeUndefined()
  })

  it('L2: reading is harmless', () => {
    const session = open()
    expect([JSON.stringify(session), { ...session }, session.user, 'user' in session]).toEqual([
      '{}',
      {},
      undefined,
      false,
    ])
    expect(session).toBeInstanceOf(Object)
    expect(String(session)).toBe('[object Object]')
  })
})

describe('a method that express-session has', () => {
  const sentence = expect.objectContaining({
    message: expect.stringMatching(/write session\.signIn\(userId\)/),
  })

  it('L2: regenerate gives its error to the callback, which catches nothing', () => {
    const done = vi.fn()
    open().regenerate(done)
    expect(done.mock.calls).toEqual([[sentence]])
    expect(() => open().regenerate()).toThrow(sentence)
  })

  it('L2: save takes no callback, and says so', async () => {
    const session = open()
    expect(() => session.save(() => {})).toThrow(/no callback: write await session\.save\(\)/)
    await session.save()
  })

  it('L2: save may end a chain of promises, whose value is no callback', async () => {
    const session = open()
    await expect(Promise.resolve(1).then(session.save.bind(session))).resolves.toBeUndefined()
  })

  it('L2: destroy takes no callback, and says so before anything is ended', async () => {
    const session = open()
    session.set('n', 1)
    expect(() => session.destroy(() => {})).toThrow(
      new TypeError('session.destroy takes no callback: write session.destroy(), and the answer after it'),
    )
    expect(await session.get('n')).toBe(1)
    session.destroy(undefined)
    expect(await session.get('n')).toBeUndefined()
  })
})
