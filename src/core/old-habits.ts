import { shownKey } from './check.ts'

/** What express-session would save, nothing here would (L2). */
export function refuseProperty(_: object, property: string | symbol): never {
  const key = shownKey(String(property))
  throw new TypeError(`a session has no property ${key}: write session.set('${key}', value)`)
}

export function refuseUserId(): never {
  throw new TypeError('a session has no property userId to write: write session.signIn(userId)')
}

/** `save(callback)`, whose callback would never be called. */
export function refuseCallback(): never {
  throw new TypeError(
    'session.save takes no callback: write await session.save(), and to sign out session.destroy()',
  )
}

/** What passport calls to sign in, outside of any `try`: an error that is thrown there ends the process. */
export function regenerate(done?: unknown): void {
  const error = new TypeError(
    'a session has no regenerate: write session.signIn(userId); for passport, authenticate(name, { session: false }) before it',
  )
  if (typeof done !== 'function') throw error
  done(error)
}
