// One path through the library, again and again; guard.mjs counts what that takes. Prints the bytes a time it allocates, or
// with `promises` how many of them it makes. With `bare` all is done but what the library does.
import { createHook } from 'node:async_hooks'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Hono } from 'hono'
import Koa from 'koa'
import { withSession } from '../../dist/adapters/fetch.js'
import { session as hono } from '../../dist/adapters/hono.js'
import { session as koa } from '../../dist/adapters/koa.js'
import { session as node } from '../../dist/adapters/node.js'
import { createSessionManager, MemoryStore } from '../../dist/core/index.js'

const ROUNDS = 5
const [path, ...numbers] = process.argv.slice(2)
const [warmUp, times] = numbers.map(Number)
const isBare = numbers.includes('bare')
let clock = 1_750_000_000_000
const store = new MemoryStore()
const secret = 'sixty-four bytes would do as well as these'
const newManager = () => createSessionManager({ store, secret, now: () => clock })
const manager = newManager()
const headers = { get: () => null, set() {}, append() {} }
const response = () => ({ status: 200, headers })
const cookie = await signIn()

const paths = {
  read: onSession((session) => session.get('userId')),
  /** Each a record that this manager has not seen: another one wrote it. */
  async cold() {
    const another = newManager()
    const cookies = []
    while (cookies.length < warmUp + times) cookies.push(await signIn())
    return async (time) => {
      if (isBare) return
      const session = another.open(cookies[time])
      await session.get('userId')
      await another.commit(session, response)
    }
  },
  write: onSession((session) => {
    // Quiet for so long that the record does not remember the write before.
    clock += 3_000
    return session.update('views', (views = 0) => views + 1)
  }),
  /** From here on a cookie is sent, and the handler leaves the session alone. */
  untouched: onSession(() => {}),
  async hono() {
    const middleware = hono(manager)
    const contexts = []
    const app = new Hono().get('/', (c) => (contexts.push(c), c.body(null)))
    for (const request of made(newRequest)) await app.request(request)
    return async (time) => {
      const c = contexts[time]
      await (isBare ? done() : middleware(c, done))
    }
  },
  async koa() {
    const middleware = koa(manager)
    const app = new Koa()
    const contexts = made(() => app.createContext(...newExchange()))
    return async (time) => {
      const ctx = contexts[time]
      await (isBare ? done() : middleware(ctx, done))
    }
  },
  async node() {
    const middleware = node(manager)
    const exchanges = made(newExchange)
    const nothing = () => {}
    return async (time) => {
      const [request, response] = exchanges[time]
      if (!isBare) middleware(request, response, nothing)
      response.writeHead(200)
    }
  },
  async fetch() {
    const requests = made(newRequest)
    const answer = async () => response
    const response = new Response()
    const handler = isBare ? answer : withSession(manager, answer)
    return async (time) => {
      await handler(requests[time])
    }
  },
}

const run = await paths[path]()
// Until it is compiled for good.
for (let time = 0; time < warmUp; time++) await run(time)
if (numbers.includes('promises')) {
  let promises = 0
  createHook({ init: (_, type) => void (promises += type === 'PROMISE') }).enable()
  for (let time = warmUp; time < warmUp + times; time++) await run(time)
  console.log(promises / times)
  process.exit()
}
const allocated = []
for (let round = 0; round < ROUNDS; round++) {
  const before = process.memoryUsage().heapUsed
  const from = warmUp + (round * times) / ROUNDS
  for (let time = from; time < from + times / ROUNDS; time++) await run(time)
  allocated.push(((process.memoryUsage().heapUsed - before) * ROUNDS) / times)
}
// The median leaves out a round in which something was collected.
console.log(allocated.toSorted((a, b) => a - b)[ROUNDS >> 1])

function onSession(handle) {
  return async () => async () => {
    if (isBare) return
    const session = manager.open(cookie)
    const handling = handle(session)
    if (handling) await handling
    const committing = manager.commit(session, response)
    if (committing) await committing
  }
}

/** What the requests of all the times need, so that the making is not counted. */
function made(make) {
  return Array.from({ length: warmUp + times }, make)
}

function newRequest() {
  return new Request('http://localhost/', { headers: { cookie } })
}

function newExchange() {
  const headers = { host: 'localhost', cookie }
  const request = Object.assign(new IncomingMessage(null), { method: 'GET', url: '/', headers })
  return [request, new ServerResponse(request)]
}

async function done() {}

async function signIn() {
  const headers = new Headers()
  const session = manager.open(undefined)
  for (const [key, value] of Object.entries({ userId: 'u1', cart: ['rope', 'anchor'], views: 0 }))
    session.set(key, value)
  await manager.commit(session, () => ({ status: 200, headers }))
  return headers.get('set-cookie').split(';')[0]
}
