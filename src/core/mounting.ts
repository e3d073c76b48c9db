import { checkNames, wrong } from './check.ts'
import { SessionStateError } from './errors.ts'
import { takeBackAnswer } from './http/response-headers.ts'
import type { CommitResponse } from './http/commit-response.ts'
import type { SessionManager } from './manager.ts'
import type { Session, SessionData } from './session/session.ts'

/** @internal Where an adapter keeps a request's sessions: one, or a list of several, so that the usual one allocates nothing. */
export const MOUNTED: unique symbol = Symbol.for('holdfast sessions')

/**
 * Options of a middleware; throws `TypeError` for wrong ones. `as` is the property that the session is to be, the others
 * are functions.
 */
export function checkMount<Options extends object>(
  options: Options,
  names: readonly string[] = ['as', 'renew'],
  what = 'session',
): Options & { as: string } {
  checkNames(what, options, names, `an object, { ${names.join(', ')} }`)
  const { as = 'session', ...functions }: { as?: unknown } = options
  if (typeof as !== 'string' || as === '') throw wrong('as', "the name of a property, as in 'admin'", as)
  for (const [name, each] of Object.entries(functions)) {
    if (each !== undefined && typeof each !== 'function') throw wrong(name, 'a function', each)
  }
  return { ...options, as }
}

/**
 * The session that a middleware is to join: what its manager has opened for this request. `held` is what its property
 * holds already; what another library keeps there would be missed by it when it saves.
 *
 * Throws `SessionStateError` (`ERR_SESSION_MOUNTED_TWICE`) where another manager uses the same cookie, or where the
 * property is taken.
 */
export function joined<Data extends SessionData<Data>>(
  manager: SessionManager<Data>,
  mounted: unknown,
  held?: unknown,
  property = '',
): Session<Data> | undefined {
  const all = mounted === undefined ? undefined : [mounted].flat()
  const own = all?.find((each): each is Session<Data> => manager.joins(each))
  if (held !== undefined && held !== null && held !== own) throw taken(property)
  return own
}

export function taken(property: string): SessionStateError {
  return new SessionStateError(
    'ERR_SESSION_MOUNTED_TWICE',
    `${property} is taken, by another library or manager: mount one of the two, or name another property, session(manager, { as: 'admin' })`,
  )
}

/** With one session more. */
export function withMounted(mounted: unknown, session: unknown): unknown {
  return mounted === undefined ? session : [mounted, session].flat()
}

/** A property that holds what stands at `slot`, and says to whoever assigns over it what to write (L2). */
export function sessionProperty(name: string, slot: symbol, property: string): PropertyDescriptor {
  return {
    enumerable: true,
    get(this: Record<symbol, unknown>) {
      return this[slot]
    },
    set(this: Record<symbol, unknown>, value) {
      if (this[slot] === undefined) {
        // No session was mounted here: somebody else's property.
        const own = { value, configurable: true, enumerable: true, writable: true }
        Object.defineProperty(this, name, own)
      } else if (value !== this[slot]) throw assignedOver(property)
    },
  }
}

/** Where it cannot be seen earlier: the commit rejects, as if the handler had failed (L2). */
export async function refuseAssigned(
  manager: SessionManager<any>,
  session: Session<any>,
  response: CommitResponse,
  property: string,
): Promise<never> {
  takeBackAnswer(response.headers)
  await manager.commit(session, () => ({ ...response, status: 500, error: undefined }))
  throw assignedOver(property)
}

/** For whoever writes `ctx.session = null`, as he would with koa-session or express-session. */
function assignedOver(property: string): TypeError {
  return new TypeError(
    `${property} is not to be assigned over: write session.signIn(userId) to sign in, session.destroy() to sign out, session.clear() or session.set(key, value) to change what it holds`,
  )
}

/** @internal A session that a middleware has mounted on a response. */
export interface Mounted {
  readonly manager: SessionManager<any>
  readonly session: Session<any>
  readonly onError: (error: unknown) => void
  /** Of the middleware that was there before. */
  readonly outer: Mounted | undefined
}

/**
 * Commits the innermost session first. When it fails the answer is another one, and what the outer ones have pending is
 * dropped (D5). `turn` goes outwards with it, so that it ends at the one that failed.
 */
export function commitInTurn(
  turn: { mounted: Mounted },
  describe: () => CommitResponse,
): Promise<void> | undefined {
  const { manager, session, outer } = turn.mounted
  const committing = manager.commit(session, describe)
  if (!outer) return committing
  const goOn = () => {
    turn.mounted = outer
    return commitInTurn(turn, describe)
  }
  if (!committing) return goOn()
  return committing.then(goOn, async (error: unknown) => {
    await commitInTurn({ mounted: outer }, () => ({ ...describe(), status: 500 }))
    throw error
  })
}
