import { beforeEach } from 'vitest'
import {
  createSessionManager,
  type SessionManager,
  type SessionOptions,
  type SignInOptions,
} from '../../src/core/index.ts'
import { createBench, type Bench } from './managers.ts'
import { secret, type OpenStore } from './stores.ts'
import { visitOk } from './visit.ts'

/** A bench with users. No two tests share one, since they share the store. */
export interface UsersBench extends Bench {
  user: string
  other: string
  /** A manager on the store itself, which nobody tampers with: another application server. */
  aside: SessionManager
  /** Signs in over what the cookie names, and gives the Cookie header. */
  signIn(user: string, options?: SignInOptions, cookie?: string): Promise<string>
  userOf(cookie: string): Promise<string | undefined>
  /** Of the user's sessions as they are listed. */
  labelsOf(user: string): Promise<(string | undefined)[]>
  /** Where the session's record lives, and its user's mark. */
  keysOf(cookie: string): Promise<{ record: string; mark: string }>
}

let users = 0

/** A fresh bench for every test of the `describe` it is called in. */
export function useUsers(open: OpenStore, options: SessionOptions = {}): UsersBench {
  const bench = {} as UsersBench
  beforeEach(() => Object.assign(bench, createUsersBench(open, options)))
  return bench
}

function createUsersBench(open: OpenStore, options: SessionOptions): UsersBench {
  const bench = createBench(open, options)
  const aside = createSessionManager({
    store: open.current,
    secret,
    now: () => bench.clock.ms,
    onEvent: () => {},
    ...options,
  })
  return Object.assign(bench, {
    user: `user ${++users}`,
    other: `user ${++users}`,
    aside,
    async signIn(user: string, signInOptions?: SignInOptions, cookie?: string) {
      const signedIn = await visitOk(bench.manager, cookie, (session) => session.signIn(user, signInOptions))
      return signedIn.cookie
    },
    async userOf(cookie: string) {
      return (await visitOk(aside, cookie, (session) => session.userId())).result
    },
    async labelsOf(user: string) {
      return (await aside.listSessions(user)).map(({ label }) => label)
    },
    async keysOf(cookie: string) {
      bench.forget()
      await visitOk(bench.manager, cookie, (session) => session.exists())
      const [record, mark] = [bench.store.keys[0]!, bench.store.keys.at(-1)!]
      bench.forget()
      return { record, mark }
    },
  })
}
