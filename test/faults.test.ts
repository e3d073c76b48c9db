import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSessionManager, type SessionManager } from '../src/core/index.ts'
import { adapters, tellEvent, type App } from './support/apps.ts'
import { startFaultProxy, type Fault, type FaultProxy } from './support/fault-proxy.ts'
import { onKinds, onMemcached, onRedis, type StoreKind, type StoreServer } from './support/store-servers.ts'
import { secret } from './support/stores.ts'

const BUDGET_MS = 600
const HALF_A_REPLY = 90

const faults: [string, () => Fault][] = [
  ['closes in mid-request', () => ({ type: 'cut', after: 0, by: 'close' })],
  ['resets in mid-request', () => ({ type: 'cut', after: 0, by: 'reset' })],
  ['stalls', () => ({ type: 'stall' })],
  ['cuts a reply in half and closes', () => ({ type: 'cut', after: HALF_A_REPLY, by: 'close' })],
  ['cuts a reply in half and resets', () => ({ type: 'cut', after: HALF_A_REPLY, by: 'reset' })],
  ['cuts a reply in half and stalls', () => ({ type: 'cut', after: HALF_A_REPLY, by: 'stall' })],
  ['answers byte by byte', () => ({ type: 'chunks' })],
  [
    'answers garbage',
    () => ({ type: 'garbage', replace: (bytes) => new Uint8Array(bytes.length).fill(0xa5) }),
  ],
  ['swallows a reply', () => ({ type: 'swallow' })],
  ['refuses', () => ({ type: 'refuse' })],
]
/** What a client of Redis cannot notice, or does not: nothing in a reply says what it answers. */
const unnoticed = (kind: StoreKind): string[] => {
  if (kind === onMemcached) return []
  // TCP itself loses nothing that comes later; node-redis goes on with a connection of which it understood nothing.
  return kind === onRedis ? ['swallows a reply'] : ['swallows a reply', 'answers garbage']
}

describe.each(onKinds(adapters))('$name on $kind.name that', ({ start, kind }) => {
  let server: StoreServer
  let proxy: FaultProxy
  let manager: SessionManager
  let app: App

  beforeEach(async () => {
    server = await kind.start()
    proxy = await startFaultProxy(server)
    manager = createSessionManager({ store: await kind.open(proxy.port), secret, onEvent: tellEvent })
    app = await start(manager, {
      '/sign-in': (session, { query }) => {
        session.regenerateId()
        session.set('user', query.get('user'))
        return {}
      },
      '/user': async (session) => ({ body: String(await session.get('user')) }),
      '/visit': async (session) => ({ body: String(await session.update('n', (n: number = 0) => n + 1)) }),
    })
  })
  afterEach(async () => {
    await app.close()
    await manager.close()
    await proxy.close()
    await server.stop()
  })

  async function get(path: string, cookie = '') {
    const startedAt = performance.now()
    const { status, body, headers } = await app.fetch(path, { headers: { cookie } })
    const milliseconds = performance.now() - startedAt
    return { status, body, setCookies: headers.getSetCookie(), milliseconds }
  }

  async function signIn(user: string): Promise<string> {
    return (await get(`/sign-in?user=${user}`)).setCookies[0]!.split(';')[0]!
  }

  it.each(faults.filter(([name]) => !unnoticed(kind).includes(name)))(
    'F1, F2, F3: %s: exact or 503, in time, no cookie touched, and served again at once',
    async (_, fault) => {
      const cookies = [await signIn('u0'), await signIn('u1'), await signIn('u2')]
      const counts = [0, 0, 0]
      proxy.fault = fault()
      const answers = await Promise.all(
        Array.from({ length: 12 }, async (_, index) => {
          await sleep(index * 10)
          const visitor = index % 3
          const isRead = index % 2 === 0
          return { visitor, isRead, ...(await get(isRead ? '/user' : '/visit', cookies[visitor])) }
        }),
      )
      for (const { visitor, isRead, status, body, setCookies, milliseconds } of answers) {
        expect(setCookies).toEqual([])
        // A load and a commit, each with a budget of its own.
        expect(milliseconds).toBeLessThan((isRead ? 1 : 2) * BUDGET_MS + 250)
        if (status === 503) expect(body).toBe('Service Unavailable')
        else if (isRead) expect([status, body]).toEqual([200, `u${visitor}`])
        else expect([status, ++counts[visitor]!]).toEqual([200, expect.any(Number)])
      }

      proxy.fault = { type: 'none' }
      const mendedAt = performance.now()
      for (const [visitor, cookie] of cookies.entries()) {
        let answer = await get('/user', cookie)
        while (answer.status !== 200) {
          await sleep(10)
          answer = await get('/user', cookie)
        }
        expect([answer.body, answer.setCookies]).toEqual([`u${visitor}`, []])
      }
      // At once, or where the breaker had opened with the next probe.
      expect(performance.now() - mendedAt).toBeLessThan(1500)
      // Acknowledged visits all count, each once; one that was not may count.
      for (const [visitor, cookie] of cookies.entries()) {
        const asked = answers.filter((answer) => answer.visitor === visitor && !answer.isRead).length
        const next = Number((await get('/visit', cookie)).body)
        expect(next).toBeGreaterThan(counts[visitor]!)
        expect(next).toBeLessThanOrEqual(asked + 1)
      }
    },
  )
})
