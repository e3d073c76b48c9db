// What moving-in.test.ts and test/moving/ have in common.
import express, { type RequestHandler } from 'express'
import { beforeEach, describe, expect, it } from 'vitest'
import { createSessionManager, MemoryStore, type Session, type SessionManager } from 'holdfast'
import { session as holdfast } from 'holdfast/node'
import { issueSession } from 'holdfast/testing'
import { listen } from '../support/recipes.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'
import type { Data, OldData } from './moving-in/carry-over.ts'
import { fromExpressSession } from './moving-in/from-express-session.ts'

export const DATA: OldData = { userId: 'u1', cart: ['rope'] }
const OLD_SECRET = 'the secret of express-session'

export interface Move {
  name: string
  /** The application as it was, which signs in whoever comes. */
  before(): Promise<string>
  /** The application as it is, which tells what the session holds; `/leave` signs out. */
  after(manager: SessionManager<Data>): Promise<string>
  oldCookies: string[]
  /** Left out, the sessions are in their cookies. */
  store?: {
    count(): Promise<number>
    clear(): unknown
    /** From here on `after`'s has an outage, until it is called with false. */
    fail(isFailing: boolean): void
  }
}

/** An application of Express with an old library's middleware. */
export function expressBefore(old: RequestHandler): Promise<string> {
  const app = express().use(old)
  app.get('/', (request, response) => {
    Object.assign(request.session, DATA)
    response.send('welcome')
  })
  return listen(app)
}

export function expressAfter(manager: SessionManager<Data>, carryingOver: RequestHandler): Promise<string> {
  const app = express().set('env', 'test').use(holdfast(manager), carryingOver)
  app.use(async (request, response) => {
    if (request.path === '/leave') request.session.destroy()
    response.send(await holdingOf(request.session as never))
  })
  return listen(app)
}

/** From express-session with a store, which is opened once for the old application and once for the new one. */
export function expressMove(
  name: string,
  openStore: (expressSession: any) => any,
  count: () => Promise<number>,
  clear: () => unknown,
): Move {
  let isFailing = false
  const open = async () => {
    const { default: expressSession } = await import('express-session' as string)
    return { expressSession, store: await openStore(expressSession) }
  }
  return {
    name: `express-session with ${name}`,
    oldCookies: ['connect.sid'],
    store: { count, clear, fail: (failing) => void (isFailing = failing) },
    async before() {
      const { expressSession, store } = await open()
      const options = { secret: OLD_SECRET, resave: false, saveUninitialized: false, store }
      return expressBefore(expressSession(options))
    },
    async after(manager) {
      const { store } = await open()
      const old = {
        get: (id: string, done: (error: unknown) => void) =>
          isFailing ? done(new Error('gone')) : store.get(id, done),
        destroy: (id: string, done: () => void) => store.destroy(id, done),
      }
      return expressAfter(manager, fromExpressSession(old, [OLD_SECRET]))
    },
  }
}

/** Who is signed in, and the data. */
export async function holdingOf(session: Session<Data>): Promise<Partial<OldData>> {
  const userId = await session.userId()
  return { ...(userId !== undefined && { userId }), ...(await session.entries()) }
}

/** A browser's cookies, and visits with them; plain http, so that Secure is not asked for. */
function browser() {
  const cookies = new Map<string, string>()
  return {
    cookies,
    async visit(url: string) {
      const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
      const response = await fetch(url, { headers: { cookie } })
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
        if (/; (Max-Age=0|Expires=Thu, 01 Jan 1970)/i.test(line)) cookies.delete(name!)
        else cookies.set(name!, value!)
      }
      return { status: response.status, body: await response.text() }
    },
  }
}

/** What holds for every move. */
export function describeMove({ name, before, after, store: old, oldCookies }: Move): void {
  describe(`from ${name}`, () => {
    let store: TamperedStore
    let manager: SessionManager<Data>
    beforeEach(async () => {
      await old?.clear()
      store = new TamperedStore(new MemoryStore())
      manager = createSessionManager<Data>({ store, secret })
    })

    /** A visitor whom the old application has signed in. */
    async function signedInBefore() {
      const visitor = browser()
      expect((await visitor.visit(await before())).body).toBe('welcome')
      expect([...visitor.cookies.keys()].toSorted()).toEqual(oldCookies)
      return visitor
    }

    it('carries a session over once, and leaves nothing of the old one', async () => {
      const visitor = await signedInBefore()
      expect(await old?.count()).toBe(old && 1)
      const url = await after(manager)
      const { body } = await visitor.visit(url)
      expect(JSON.parse(body)).toEqual(DATA)
      expect([...visitor.cookies.keys()]).toEqual(['__Host-session'])
      expect(await old?.count()).toBe(old && 0)
      store.forget()
      expect(JSON.parse((await visitor.visit(url)).body)).toEqual(DATA)
      expect(store.operations).toEqual(['get', 'get'])
      expect(await manager.listSessions('u1')).toHaveLength(1)
    })

    it('takes no cookie that was tampered with, and leaves it alone', async () => {
      const visitor = await signedInBefore()
      const [name] = oldCookies as [string]
      visitor.cookies.set(name, visitor.cookies.get(name)!.replace(/.{8}$/, 'AAAAAAAA'))
      const cookies = new Map(visitor.cookies)
      const url = await after(manager)
      expect(JSON.parse((await visitor.visit(url)).body)).toEqual({})
      expect(visitor.cookies).toEqual(cookies)
      if (old) expect(await old.count()).toBeGreaterThan(0) // hono-sessions makes another
    })

    if (old) {
      it('leaves a cookie alone that the old store does not know', async () => {
        const visitor = await signedInBefore()
        const cookies = new Map(visitor.cookies)
        await old.clear()
        expect(JSON.parse((await visitor.visit(await after(manager))).body)).toEqual({})
        expect(visitor.cookies).toEqual(cookies)
      })

      it('leaves all as it was when the old store fails, and carries over later', async () => {
        const visitor = await signedInBefore()
        const cookies = new Map(visitor.cookies)
        const url = await after(manager)
        old.fail(true)
        expect((await visitor.visit(url)).status).toBe(500)
        old.fail(false)
        expect(visitor.cookies).toEqual(cookies)
        expect(JSON.parse((await visitor.visit(url)).body)).toEqual(DATA)
      })
    }

    it('leaves a new session as it is, though the old cookie comes again', async () => {
      const visitor = await signedInBefore()
      const cookies = new Map(visitor.cookies)
      const url = await after(manager)
      visitor.cookies.clear()
      visitor.cookies.set(
        ...((await issueSession(manager, {}, { user: 'u2' })).split('=') as [string, string]),
      )
      for (const [name, value] of cookies) visitor.cookies.set(name, value)
      expect(JSON.parse((await visitor.visit(url)).body)).toEqual({ userId: 'u2' })
      expect([...visitor.cookies.keys()]).toEqual(['__Host-session'])
    })

    it('F1: leaves all as it was when the new store fails, and carries over later', async () => {
      const visitor = await signedInBefore()
      const url = await after(manager)
      store.before = failing('add', 2)
      expect((await visitor.visit(url)).status).toBe(503)
      expect([...visitor.cookies.keys()].toSorted()).toEqual(oldCookies)
      expect(JSON.parse((await visitor.visit(url)).body)).toEqual(DATA)
    })

    it('E6: does not bring back who has just signed out, though the old cookie comes again', async () => {
      const visitor = await signedInBefore()
      const cookies = new Map(visitor.cookies)
      const url = await after(manager)
      await visitor.visit(url)
      const late = browser()
      for (const [name, value] of [...cookies, ...visitor.cookies]) late.cookies.set(name, value)
      await visitor.visit(`${url}/leave`)
      expect(JSON.parse((await late.visit(url)).body)).toEqual({})
    })
  })
}
