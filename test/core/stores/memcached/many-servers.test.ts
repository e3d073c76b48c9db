import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSessionManager, StoreUnavailableError } from '../../../../src/core/index.ts'
import { MemcachedStore } from '../../../../src/core/stores/memcached/memcached-store.ts'
import { rendezvous } from '../../../../src/core/stores/memcached/placement.ts'
import { startMemcached, type Memcached } from '../../../support/memcached.ts'
import { secret } from '../../../support/stores.ts'
import { visit, visitOk } from '../../../support/visit.ts'

const SESSIONS = 300

describe('Three memcached, of which one is killed and comes back', () => {
  let servers: Memcached[]
  let store: MemcachedStore
  const keys = Array.from({ length: SESSIONS }, (_, index) => String(index).padStart(43, 'k'))
  let place: (key: string) => number
  const onKilled = (key: string) => place(key) === 1
  const bytes = (key: string) => new TextEncoder().encode(`value of ${key}`)

  beforeAll(async () => {
    servers = await Promise.all([startMemcached(), startMemcached(), startMemcached()])
    const names = servers.map(({ port }) => `127.0.0.1:${port}`)
    store = new MemcachedStore({ servers: names })
    const placeByStoreKey = rendezvous(names)
    place = (key) => placeByStoreKey(`session:${key}`)
    for (const key of keys) await store.add(key, bytes(key), 1000)
  })
  afterAll(async () => {
    await store.close()
    await Promise.all(servers.map((server) => server.stop()))
  })

  /** Reads every key, one after the other, so that a failing server would slow the others down if it could. */
  async function readAll(): Promise<Map<string, 'exact' | 'missing' | 'unavailable'>> {
    const results = new Map<string, 'exact' | 'missing' | 'unavailable'>()
    for (const key of keys) {
      try {
        const found = await store.get(key, 1000)
        if (found) expect(found.bytes).toEqual(bytes(key))
        results.set(key, found ? 'exact' : 'missing')
      } catch (error) {
        expect(error).toBeInstanceOf(StoreUnavailableError)
        results.set(key, 'unavailable')
      }
    }
    return results
  }

  it('I2: exactly its share is unavailable, the rest is untouched, and nothing moves', async () => {
    for (const result of (await readAll()).values()) expect(result).toBe('exact')
    await servers[1]!.stop()
    for (let round = 0; round < 2; round++) {
      for (const [key, result] of await readAll()) {
        expect(result).toBe(onKilled(key) ? 'unavailable' : 'exact')
      }
    }
    const share = keys.filter(onKilled).length
    console.log(`one of three killed: ${share} of ${SESSIONS} unavailable, ${SESSIONS - share} exact`)
  })

  it('F4, I2: back up, it is let in within a second or so, cold; the rest is as before', async () => {
    servers[1] = await startMemcached({ port: servers[1]!.port })
    const backAt = performance.now()
    const lost = keys.find(onKilled)!
    while ((await store.get(lost, 1000).catch(() => 'unavailable')) === 'unavailable') await sleep(10)
    const milliseconds = performance.now() - backAt
    console.log(`let in again after ${milliseconds.toFixed(0)} ms`)
    expect(milliseconds).toBeLessThan(1500)
    for (const [key, result] of await readAll()) expect(result).toBe(onKilled(key) ? 'missing' : 'exact')
  })

  it('B4: a sign-in gets through while one of them is down, on another', async () => {
    await servers[1]!.stop()
    const manager = createSessionManager({ store, secret })
    const signIns = await Promise.all(
      Array.from({ length: 100 }, () => visit(manager, undefined, (session) => session.set('user', 'u1'))),
    )
    // Two tries under two tokens: one in nine has both on the server that is down.
    const cookies = signIns.flatMap(({ error, cookie }) => (error ? [] : [cookie]))
    expect(cookies.length).toBeGreaterThan(70)
    expect(signIns.filter(({ error, setCookie }) => error && setCookie)).toEqual([])
    for (const cookie of cookies) {
      expect((await visitOk(manager, cookie, (session) => session.get('user'))).result).toBe('u1')
    }
  })
})
