import { readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import express, { type ErrorRequestHandler, type Response as ExpressResponse } from 'express'
import { Hono, type Context, type ErrorHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'
import createError from 'http-errors'
import Koa from 'koa'
import { describe, expect, it } from 'vitest'
import { createSessionManager, MemoryStore, type Session, type SessionManager } from 'holdfast'
import { withSession } from 'holdfast/fetch'
import { session as honoSession, type SessionVariables } from 'holdfast/hono'
import { session as koaSession, type SessionContext } from 'holdfast/koa'
import { session as nodeSession, type SessionRequest } from 'holdfast/node'
import { listen } from '../support/recipes.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'
import { visit, visitOk } from '../support/visit.ts'
import { redeem } from './when-a-handler-fails/coupon.ts'
import { greeting } from './when-a-handler-fails/greeting.ts'

const guide = readFileSync('docs/when-a-handler-fails.md', 'utf8')

/** An application's answer to a request with this cookie; nothing where it answers none. */
type App = (manager: SessionManager, cookie: string) => Promise<Response | undefined>
type Framework = 'Hono' | 'Koa' | 'Express' | '`withSession`'

class WrongPassword extends Error {}
/** A new one each time: Koa writes on an error what it answered. */
const thrower = (made: () => unknown) => () => {
  throw made()
}
const wrong = thrower(() => new WrongPassword())
/** Of an API that the application asked: none of its visitor's business. */
const tooMany = () => Object.assign(new Error('the API says: too many requests'), { status: 429 })
const onlyStatusCode = () => Object.assign(new Error('unprocessable'), { statusCode: 422 })

/** The keys that the application has written. */
const written = new Set<string>()
function attempt(session: Session): Promise<unknown> {
  written.add('attempts')
  return session.update('attempts', (n = 0) => n + 1)
}
/** Only error handlers write it. */
function flash(session: Session): void {
  written.add('flash')
  session.set('flash', 'wrong')
}

/** The row in the guide, and how its situation comes about in each framework that has it. */
const situations: Record<string, Partial<Record<Framework, App>>> = {
  'the handler answers below 500': {
    Hono: hono((c) => c.text('ok', 404)),
    Koa: koa((ctx) => void (ctx.status = 404)),
    Express: inExpress((response) => void response.sendStatus(404)),
    '`withSession`': inFetch(() => new Response(null, { status: 404 })),
  },
  'it answers 500 or above': {
    Hono: hono((c) => c.text('sorry', 500)),
    Koa: koa((ctx) => void (ctx.status = 500)),
    Express: inExpress((response) => void response.sendStatus(500)),
    '`withSession`': inFetch(() => new Response(null, { status: 500 })),
  },
  'it throws an `Error`': {
    Hono: hono(wrong),
    Koa: koa(wrong),
    Express: inExpress(wrong),
    '`withSession`': inFetch(wrong),
  },
  'it throws anything else': {
    Hono: hono(thrower(() => 'a string')),
    Koa: koa(thrower(() => ({ status: 403 }))),
    Express: inExpress(thrower(() => 'a string')),
    '`withSession`': inFetch(thrower(() => ({ status: 403 }))),
  },
  'an error handler answers 401': {
    Hono: hono(wrong, { onError: honoErrors(401) }),
    Koa: koa(wrong, { inside: koaErrors(401) }),
    Express: inExpress(wrong, { onError: expressErrors(401) }),
    '`withSession`': inFetch(wrong, { onError: fetchErrors(401) }),
  },
  'one of a part of the application does': {
    Hono: hono(wrong, { partOnError: honoErrors(401) }),
    Express: inExpress(wrong, { partOnError: expressErrors(401) }),
  },
  'an error handler answers 500': {
    Hono: hono(wrong, { onError: honoErrors(500) }),
    Koa: koa(wrong, { inside: koaErrors(500) }),
    Express: inExpress(wrong, { onError: expressErrors(500) }),
    '`withSession`': inFetch(wrong, { onError: fetchErrors(500) }),
  },
  "the framework's own error, below 500": {
    Hono: hono(thrower(() => new HTTPException(401))),
    Koa: koa((ctx) => ctx.throw(403)),
    Express: inExpress(thrower(() => createError(403))),
    '`withSession`': inFetch(thrower(() => new HTTPException(401))),
  },
  'the same, from 500 on': {
    Hono: hono(thrower(() => new HTTPException(503))),
    Koa: koa((ctx) => ctx.throw(503)),
    Express: inExpress(thrower(() => createError(503))),
    '`withSession`': inFetch(thrower(() => new HTTPException(503))),
  },
  "another's error with `status: 429`": {
    Hono: hono(thrower(tooMany)),
    Koa: koa(thrower(tooMany)),
    Express: inExpress(thrower(tooMany)),
    '`withSession`': inFetch(thrower(tooMany)),
  },
  'the same, and an error handler answers 500': {
    Hono: hono(thrower(tooMany), { onError: honoErrors(500) }),
    Koa: koa(thrower(tooMany), { inside: koaErrors(500) }),
    Express: inExpress(thrower(tooMany), { onError: expressErrors(500) }),
    '`withSession`': inFetch(thrower(tooMany), { onError: fetchErrors(500) }),
  },
  'an error with `statusCode: 422` only': {
    Hono: hono(thrower(onlyStatusCode)),
    Koa: koa(thrower(onlyStatusCode)),
    Express: inExpress(thrower(onlyStatusCode)),
    '`withSession`': inFetch(thrower(onlyStatusCode)),
  },
}

/** What Koa makes of an error after the session was committed. */
const unforeseen: Record<string, App> = {
  'an error middleware outside of the session answers 401': koa(wrong, { outside: koaErrors(401, () => {}) }),
  'it answers 500 to an error with `status: 429`': koa(thrower(tooMany), {
    outside: koaErrors(500, () => {}),
  }),
  'an error with a status that HTTP does not know, 499': koa(
    thrower(() => Object.assign(new Error('closed'), { status: 499 })),
  ),
}

describe('docs/when-a-handler-fails.md', () => {
  it('D3: what the visitor is answered decides, in every adapter', async () => {
    const { frameworks, rows } = tableAfter('# When a handler fails')
    const found: Record<string, Record<string, string>> = {}
    for (const [situation, apps] of Object.entries(situations)) {
      found[situation] = {}
      for (const framework of frameworks) {
        const app = apps[framework as Framework]
        found[situation][framework] = app ? await outcomeOf(app) : ''
      }
    }
    expect(rows).toEqual(found)
  })

  it('D3: what Koa answers after the session was committed cannot be foreseen', async () => {
    const { rows } = tableAfter('**What Koa answers later cannot be foreseen.**')
    const found: Record<string, Record<string, string>> = {}
    for (const [situation, app] of Object.entries(unforeseen))
      found[situation] = { Koa: await outcomeOf(app) }
    expect(rows).toEqual(found)
  })

  it('D3: what was saved before it was acted on is kept, whatever is answered', async () => {
    const savedFirst = async (session: Session) => {
      await attempt(session)
      await session.save()
    }
    expect(await outcomeOf(hono(wrong, { before: savedFirst }))).toBe('500, kept')
    expect(await outcomeOf(koa(wrong, { before: savedFirst }))).toBe('500, kept')
    expect(await outcomeOf(inExpress(wrong, { before: savedFirst }))).toBe('500, kept')
  })
})

describe('the programs of docs/when-a-handler-fails.md', () => {
  it('D3: a coupon is redeemed once, of five that come at once', async () => {
    const manager = createSessionManager({ store: new MemoryStore(), secret })
    const { cookie } = await visitOk(manager, undefined, (session) => session.set('coupon', 'C1'))
    const redeemed = await Promise.allSettled(
      Array.from({ length: 5 }, () => visitOk(manager, cookie, redeem as never)),
    )
    const got = redeemed.map((each) => (each.status === 'fulfilled' ? each.value.result : 'refused'))
    expect(got.filter((each) => each === 'C1')).toHaveLength(1)
    expect((await visit(manager, cookie, redeem as never)).result).toBeUndefined()
  })

  it('F2: a page that can do without its session is there in an outage', async () => {
    const store = new TamperedStore(new MemoryStore())
    const manager = createSessionManager({ store, secret })
    const { cookie } = await visitOk(manager, undefined, (session) => session.signIn('u1'))
    expect((await visit(manager, cookie, greeting)).result).toBe('Hello, u1')
    store.before = failing('get')
    expect((await visit(manager, cookie, greeting)).result).toBe('Hello')
  })
})

/** The first table after this line, by its first column and its heads. */
function tableAfter(line: string): { frameworks: string[]; rows: Record<string, Record<string, string>> } {
  const [, after] = guide.split(`${line}`)
  const table = /(?:^\|.*\n)+/m.exec(after!)![0]
  const [heads, , ...rows] = table
    .trimEnd()
    .split('\n')
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
  const frameworks = heads!.slice(1)
  const cells = (row: string[]) =>
    Object.fromEntries(frameworks.map((name, index) => [name, row[index + 1]!]))
  return { frameworks, rows: Object.fromEntries(rows.map((row) => [row[0]!, cells(row)])) }
}

/** What was answered and whether what was written was kept: of a session that exists, and of one that would begin. */
async function outcomeOf(app: App): Promise<string> {
  written.clear()
  const manager = createSessionManager({ store: new MemoryStore(), secret })
  const begun = new Headers()
  const session = manager.open(undefined)
  session.set('user', 'u1')
  await manager.commit(session, () => ({ status: 200, headers: begun }))
  const cookie = cookieIn(begun)
  const response = await app(manager, cookie)
  const kept = await entriesOf(manager, cookie)
  const fresh = await app(manager, '')
  const begins = await entriesOf(manager, cookieIn(fresh?.headers))
  expect({ status: fresh?.status, kept: { user: 'u1', ...begins } }).toEqual({
    status: response?.status,
    kept,
  })
  const names = Object.keys(begins)
  const isAllOrNothing = names.length === 0 || names.length === written.size
  expect(isAllOrNothing, `${names.join()} of ${[...written].join()} kept`).toBe(true)
  return `${response?.status ?? 'thrown on'}, ${names.length === 0 ? 'dropped' : 'kept'}`
}

function cookieIn(headers: Headers | undefined): string {
  return headers?.getSetCookie()[0]?.split(';')[0] ?? ''
}

async function entriesOf(manager: SessionManager, cookie: string): Promise<Record<string, unknown>> {
  return manager.open(cookie).entries()
}

/** What is done before the handler's own part, and who answers what that throws. */
interface Around<OnError> {
  before?: (session: Session) => unknown
  onError?: OnError
  /** Of a part of the application, where the handler is. */
  partOnError?: OnError
}

type HonoEnv = { Variables: SessionVariables }

function hono(
  handle: (c: Context) => Response,
  { before = attempt, onError, partOnError }: Around<ErrorHandler<HonoEnv>> = {},
): App {
  return (manager, cookie) => {
    const part = new Hono<HonoEnv>().get('/', async (c) => {
      await before(c.var.session)
      return handle(c)
    })
    if (partOnError) part.onError(partOnError)
    const app = new Hono<HonoEnv>().use(honoSession(manager)).route('/', part)
    // Hono's own writes to the console, and does the same.
    app.onError(onError ?? ((error, c) => (hasAnswer(error) ? error.getResponse() : c.text('failed', 500))))
    return answerOf(() => app.request('/', { headers: { cookie } }))
  }
}

function hasAnswer(error: object): error is { getResponse(): Response } {
  return 'getResponse' in error
}

function honoErrors(status: 401 | 500): ErrorHandler<HonoEnv> {
  return (_, c) => {
    flash(c.var.session)
    return c.text('wrong', status)
  }
}

type KoaMiddleware = Koa.Middleware<object, SessionContext>

function koa(
  handle: (ctx: Koa.Context) => void,
  {
    before = attempt,
    inside = pass,
    outside = pass,
  }: Partial<Record<'inside' | 'outside', KoaMiddleware>> & Around<never> = {},
): App {
  return (manager, cookie) => {
    const app = new Koa()
    app.silent = true
    const inner = app.use(outside).use(koaSession(manager)).use(inside)
    inner.use(async (ctx) => {
      await before(ctx.session)
      handle(ctx as unknown as Koa.Context)
    })
    return served(app.callback() as RequestListener, cookie)
  }
}

function pass(_: unknown, next: Koa.Next): Promise<unknown> {
  return next()
}

function koaErrors(status: number, mark: (session: Session) => unknown = flash): KoaMiddleware {
  return async (ctx, next) => {
    try {
      await next()
    } catch {
      mark(ctx.session)
      ctx.status = status
    }
  }
}

function inExpress(
  handle: (response: ExpressResponse) => void,
  { before = attempt, onError, partOnError }: Around<ErrorRequestHandler> = {},
): App {
  return (manager, cookie) => {
    const part = express.Router()
    part.get('/', async (request, response) => {
      await before((request as typeof request & SessionRequest).session)
      handle(response)
    })
    if (partOnError) part.use(partOnError)
    const app = express().use(nodeSession(manager)).use(part)
    if (onError) app.use(onError)
    return served(app, cookie)
  }
}

function expressErrors(status: number): ErrorRequestHandler {
  // Express knows error middleware by its four parameters.
  return (_error, request, response, _next) => {
    flash((request as typeof request & SessionRequest).session)
    response.sendStatus(status)
  }
}

function inFetch(
  handle: () => Response,
  { before = attempt, onError }: Around<(session: Session) => Response> = {},
): App {
  return (manager, cookie) => {
    const handler = withSession(manager, async (_, session) => {
      try {
        await before(session)
        return handle()
      } catch (error) {
        if (!onError) throw error
        return onError(session)
      }
    })
    return answerOf(() => handler(new Request('https://example.com/', { headers: { cookie } })))
  }
}

function fetchErrors(status: number): (session: Session) => Response {
  return (session) => {
    flash(session)
    return new Response('wrong', { status })
  }
}

async function answerOf(ask: () => Response | Promise<Response>): Promise<Response | undefined> {
  try {
    return await ask()
  } catch {
    return undefined
  }
}

async function served(listener: RequestListener, cookie: string): Promise<Response> {
  return fetch(await listen(listener), { headers: { cookie } })
}
