import { shownKey } from './check.ts'

/** What express-session would save, nothing here would (L2). */
export function refuseProperty(_: object, property: string | symbol): never {
  const key = shownKey(String(property))
  throw new TypeError(`a session has no property ${key}: write session.set('${key}', value)`)
}

export function refuseUserId(): never {
  throw new TypeError('a session has no property userId to write: write session.signIn(userId)')
}

/** Of `save(callback)` and `destroy(callback)`, which would never be called: often it is what answers the request. */
export function refuseCallback(method: 'save' | 'destroy', given: unknown): void {
  if (typeof given !== 'function') return
  const instead = {
    save: 'await session.save(), and to sign out session.destroy()',
    destroy: 'session.destroy(), and the answer after it',
  }
  throw new TypeError(`session.${method} takes no callback: write ${instead[method]}`)
}

/** What passport calls to sign in, outside of any `try`: an error that is thrown there ends the process. */
export function refuseRegenerate(done?: unknown): void {
  const error = new TypeError(
    'a session has no regenerate: write session.signIn(userId); for passport, authenticate(name, { session: false }) before it',
  )
  if (typeof done !== 'function') throw error
  done(error)
}
