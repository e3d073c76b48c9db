import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSessionManager, type SessionManager } from '../src/core/index.ts'
import { MemcachedStore } from '../src/core/stores/memcached/memcached-store.ts'
import { adapters, tellEvent, type App } from './support/apps.ts'
import { startMemcached, type Memcached } from './support/memcached.ts'
import { secret } from './support/stores.ts'

describe.each(adapters)('$name across a warm restart of memcached', ({ start }) => {
  let folder: string
  let args: string[]
  let memcached: Memcached
  let manager: SessionManager
  let app: App

  beforeEach(async () => {
    folder = await mkdtemp(join(await memoryFolder(), 'holdfast-restart-'))
    args = ['-m', '64', '-e', join(folder, 'sessions.mem')]
    memcached = await startMemcached({ args })
    manager = createSessionManager({
      store: new MemcachedStore(memcached.address),
      secret,
      onEvent: tellEvent,
    })
    app = await start(manager, {
      '/sign-in': (session, { query }) => {
        session.regenerateId()
        session.set('user', query.get('user'))
        return {}
      },
      '/sign-out': (session) => {
        session.destroy()
        return {}
      },
      '/user': async (session) => ({ body: String(await session.get('user')) }),
    })
  })
  afterEach(async () => {
    await app.close()
    await manager.close()
    await memcached.stop()
    await rm(folder, { recursive: true })
  })

  const get = (path: string, cookie = '') => app.fetch(path, { headers: { cookie } })

  async function signIn(user: string): Promise<string> {
    return (await get(`/sign-in?user=${user}`)).setCookie!.split(';')[0]!
  }

  async function startAgain(cookie: string): Promise<void> {
    memcached = await startMemcached({ port: memcached.port, args })
    while ((await get('/user', cookie)).status !== 200) await sleep(20)
  }

  it('F1: nobody is signed out, and a sign-out during the gap fails visibly and can be repeated', async () => {
    const cookies = await Promise.all(Array.from({ length: 20 }, (_, index) => signIn(`u${index}`)))
    await memcached.stop('SIGUSR1')
    // Started again within the second in which it stopped, memcached mistrusts its file and begins empty.
    const gap = sleep(1100)
    const failed = await get('/sign-out', cookies[0])
    expect([failed.status, failed.setCookie]).toEqual([503, undefined])
    expect((await get('/user', cookies[1])).status).toBe(503)

    await gap
    await startAgain(cookies[0]!)
    for (const [index, cookie] of cookies.entries()) {
      expect((await get('/user', cookie)).body).toBe(`u${index}`)
    }
    const repeated = await get('/sign-out', cookies[0])
    expect([repeated.status, repeated.setCookie]).toEqual([200, expect.stringContaining('Max-Age=0')])
    expect((await get('/user', cookies[0])).body).toBe('undefined')
    expect((await get('/user', cookies[1])).body).toBe('u1')
  })

  it('a restart that is not warm signs everybody out, without an error', async () => {
    const cookie = await signIn('u1')
    await memcached.stop('SIGTERM')
    await startAgain(cookie)
    const { body, setCookie } = await get('/user', cookie)
    expect([body, setCookie]).toEqual(['undefined', undefined])
    const again = await signIn('u1')
    expect((await get('/user', again)).body).toBe('u1')
  })
})

/** The memory file belongs into memory, where there is such a folder. */
async function memoryFolder(): Promise<string> {
  return access('/dev/shm').then(
    () => '/dev/shm',
    () => tmpdir(),
  )
}
