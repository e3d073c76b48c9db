import { setImmediate as nextTurn } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { createSessionManager, type Session, type SessionManager } from '../../../src/core/index.ts'
import { MemcachedStore } from '../../../src/core/stores/memcached/memcached-store.ts'
import { useServers } from '../../support/servers.ts'
import { secret } from '../../support/stores.ts'
import { visit, visitOk } from '../../support/visit.ts'

const { onEnd, memcached, proxy } = useServers()

const MAX_IN_FLIGHT = 2

describe('F4: while maxInFlight operations wait for the server', () => {
  let store: MemcachedStore
  let manager: SessionManager
  /** Another process, whose operations do not wait here. */
  let elsewhere: SessionManager
  let filling = new AbortController()

  beforeEach(async () => {
    const server = await memcached()
    const network = await proxy(server)
    network.fault = { type: 'latency', ms: 20 }
    store = new MemcachedStore({ servers: network.address, maxInFlight: MAX_IN_FLIGHT })
    manager = createSessionManager({ store, secret })
    elsewhere = createSessionManager({ store: new MemcachedStore(server.address), secret })
    onEnd(async () => {
      filling.abort()
      await Promise.all([manager.close(), elsewhere.close()])
    })
  })

  /** From here to the end of the test there is always as much in flight as may be. */
  function fill(): void {
    const { signal } = (filling = new AbortController())
    const keep = async () => {
      while (!signal.aborted) await store.delete('x'.repeat(43)).catch(() => nextTurn())
    }
    for (let begun = 0; begun < 2 * MAX_IN_FLIGHT; begun++) setTimeout(() => void keep(), begun * 6)
    for (let begun = 0; begun < MAX_IN_FLIGHT; begun++) void keep()
  }

  const codeOf = (error: unknown) => ((error as Error | undefined)?.cause as { code?: string })?.code

  async function signedIn(): Promise<string> {
    return (await visitOk(elsewhere, undefined, (session) => session.signIn('u1'))).cookie
  }

  it('a load that begins is refused before its turn of the event loop is over', async () => {
    const cookie = await signedIn()
    fill()
    const session = manager.open(cookie)
    // What is asked for first is refused first: no answer can have come in between.
    const order: string[] = []
    const refused = session.get('n').catch((error: unknown) => (order.push('refused'), codeOf(error)))
    const turn = new Promise<void>((resolve) => setImmediate(() => (order.push('turn'), resolve())))
    expect(await refused).toBe('ERR_TOO_MANY_WAITING')
    await turn
    expect(order).toEqual(['refused', 'turn'])
  })

  it("one that was begun is finished: a user's list and timeouts of the session's own are round trips more", async () => {
    const { cookie } = await visitOk(elsewhere, undefined, (session) => {
      session.signIn('u1', { idle: 100_000 })
    })
    const { result } = await visitOk(manager, cookie, async (session) => {
      const reading = session.userId()
      // The read is on its way.
      await nextTurn()
      fill()
      return reading
    })
    expect(result).toBe('u1')
  })

  it.each<[string, (session: Session) => unknown, number]>([
    ['a change', (session) => session.set('n', 1), 1],
    ['a sign-in', (session) => session.signIn('u2'), 0],
    ['a new token', (session) => session.regenerateId(), 1],
    ['timeouts', (session) => session.setTimeouts({ idle: 100_000 }), 1],
    ['a sign-out', (session) => session.destroy(), 0],
  ])(
    'what was loaded is committed, read anew where another one wrote first: %s',
    async (_, change, listed) => {
      const cookie = await signedIn()
      let isRefused = false
      const { error } = await visit(manager, cookie, async (session) => {
        await session.get('n')
        fill()
        await visitOk(elsewhere, cookie, (other) => other.set('n', 5))
        const { result } = await visit(manager, cookie, (other) => other.get('n').catch(codeOf))
        isRefused = result === 'ERR_TOO_MANY_WAITING'
        change(session)
      })
      expect([error, isRefused]).toEqual([undefined, true])
      expect(await elsewhere.listSessions('u1')).toHaveLength(listed)
    },
  )

  it.each<[string, (session: Session) => void]>([
    ['a session', (session) => session.set('n', 1)],
    ['a sign-in', (session) => session.signIn('u1')],
  ])('what a stranger begins is committed: %s', async (_, begin) => {
    fill()
    const { error, setCookie } = await visit(manager, undefined, begin)
    expect([error, setCookie]).toEqual([undefined, expect.any(String)])
  })
})
