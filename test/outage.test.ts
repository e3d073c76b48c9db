import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ownRuntime, startApp, type ServerProcess } from './support/process.ts'
import { ResponseRules } from './support/response-rules.ts'
import {
  environmentOf,
  isRedisAlone,
  kinds,
  onKinds,
  onNodeRedis,
  type StoreKind,
  type StoreServer,
} from './support/store-servers.ts'

const BUDGET_MS = 600
const rules = new ResponseRules()

interface Answer {
  status: number
  body: string
  setCookies: string[]
  milliseconds: number
}

async function get(server: ServerProcess, path: string, cookie?: string): Promise<Answer> {
  const startedAt = performance.now()
  const { status, body, headers } = await rules.fetch(server.url + path, {
    headers: cookie === undefined ? {} : { cookie },
    signal: AbortSignal.timeout(10_000),
  })
  const milliseconds = performance.now() - startedAt
  return { status, body, setCookies: headers.getSetCookie(), milliseconds }
}

async function signIn(server: ServerProcess): Promise<string> {
  const { setCookies } = await get(server, '/sign-in')
  return setCookies[0]!.split(';')[0]!
}

/** An application in a process of its own, on a server of its own. */
interface Running {
  server: ServerProcess
  store: StoreServer
  stop(): Promise<void>
}

async function start(adapter: string, kind: StoreKind): Promise<Running> {
  const store = await kind.start()
  const env = { ADAPTER: adapter, ...environmentOf(kind, store) }
  const server = await startApp('outage', env)
  const stop = async () => {
    await server.stop()
    await store.stop()
  }
  return { server, store, stop }
}

/** 20 requests a second, each of these paths in turn, without waiting for an answer. */
async function load(
  server: ServerProcess,
  cookie: string,
  seconds: number,
): Promise<(Answer & { path: string; at: number })[]> {
  const paths = ['/read', '/plain', '/write', '/plain', '/read', '/sign-in', '/plain', '/sign-out']
  const startedAt = performance.now()
  const answers = []
  for (let index = 0; index < seconds * 20; index++) {
    const at = index * 50
    await sleep(Math.max(0, startedAt + at - performance.now()))
    const path = paths[index % paths.length]!
    answers.push(get(server, path, cookie).then((answer) => ({ ...answer, path, at })))
  }
  return Promise.all(answers)
}

function percentile(share: number, answers: readonly Answer[]): number {
  const sorted = answers.map(({ milliseconds }) => milliseconds).toSorted((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
}

async function vitals(server: ServerProcess): Promise<{ heapUsed: number; uncaught: number }> {
  return JSON.parse((await get(server, '/vitals')).body) as { heapUsed: number; uncaught: number }
}

const applications = [
  ...onKinds([{ adapter: 'Hono' }, { adapter: 'Koa' }, { adapter: 'fetch' }]),
  ...(isRedisAlone ? [] : [{ adapter: 'Hono', kind: onNodeRedis }]),
]

describe('A server of the store that is frozen', { timeout: 60_000 }, () => {
  // They mostly wait, so they wait together; started before, since what compiles keeps the others from being in time.
  const running = new Map<object, Running>()
  beforeAll(async () => {
    for (const each of applications) running.set(each, await start(each.adapter, each.kind))
  }, 60_000)
  afterAll(() => Promise.all([...running.values()].map(({ stop }) => stop())))

  it.concurrent.for(applications)(
    'F1, F2, F4, F5: $adapter on $kind.name answers everything in time, keeps every cookie, and serves again when it thaws',
    async (application, { expect }) => {
      const { server, store } = running.get(application)!
      const cookie = await signIn(server)
      const before = await load(server, await signIn(server), 1)
      const plainBefore = before.filter(({ path }) => path === '/plain')

      await store.freeze()
      const during = await load(server, cookie, 5)
      store.thaw()
      const thawedAt = performance.now()
      while ((await get(server, '/read', cookie)).body !== 'u1') await sleep(20)
      const recoveredMs = performance.now() - thawedAt

      const touching = during.filter(({ path }) => path !== '/plain')
      const plain = during.filter(({ path }) => path === '/plain')
      const late = touching.filter(({ at }) => at >= 3000)
      console.log(
        [
          `${application.adapter} on ${ownRuntime}, ${application.kind.name} frozen for 5 s: ${during.length} of ${5 * 20} answered`,
          `p99 ${percentile(0.99, touching).toFixed(0)} ms`,
          `from the third second on p99 ${percentile(0.99, late).toFixed(1)} ms`,
          `untouched p50 ${percentile(0.5, plain).toFixed(1)} ms, before ${percentile(0.5, plainBefore).toFixed(1)} ms`,
          `served again after ${recoveredMs.toFixed(0)} ms`,
        ].join('; '),
      )
      expect(new Set(touching.map(({ status }) => status))).toEqual(new Set([503]))
      expect(new Set(touching.map(({ body }) => body))).toEqual(new Set(['Service Unavailable']))
      expect(during.flatMap(({ setCookies }) => setCookies)).toEqual([])
      expect(percentile(0.99, touching)).toBeLessThan(BUDGET_MS + 100)
      // The breaker is open by then, so nobody waits for the store at all.
      expect(percentile(0.99, late)).toBeLessThan(200)
      expect(plain.map(({ status }) => status)).toEqual(plain.map(() => 200))
      expect(percentile(0.5, plain)).toBeLessThan(percentile(0.5, plainBefore) + 10)
      expect(recoveredMs).toBeLessThan(2000)
      expect((await vitals(server)).uncaught).toBe(0)
    },
  )

  it.each(kinds)(
    'F6: 5 000 requests leave the heap as it was, and nothing unhandled, on $name',
    async (kind) => {
      const { server, store, stop } = await start('Hono', kind)
      onTestFinished(stop)
      const cookie = await signIn(server)
      await store.freeze()
      const paths = ['/read', '/write', '/sign-out', '/sign-in']
      const statuses = new Set<number>()
      const run = async (count: number) => {
        for (let done = 0; done < count; done += 50) {
          const answers = Array.from({ length: 50 }, (_, index) => get(server, paths[index % 4]!, cookie))
          for (const { status } of await Promise.all(answers)) statuses.add(status)
        }
      }
      await run(1000)
      const before = await vitals(server)
      await run(5000)
      const after = await vitals(server)
      const growth = after.heapUsed / before.heapUsed - 1
      console.log(
        `${ownRuntime}, 5000 requests against a frozen ${kind.name}: heap ${(before.heapUsed / 1e6).toFixed(1)} MB before, ${(after.heapUsed / 1e6).toFixed(1)} MB after`,
      )
      expect(statuses).toEqual(new Set([503]))
      expect(growth).toBeLessThan(0.2)
      expect(after.uncaught).toBe(0)
      store.thaw()
      while ((await get(server, '/read', cookie)).body !== 'u1') await sleep(20)
    },
  )
})
