import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSessionManager, type SessionManager } from '../src/core/index.ts'
import { adapters, tellEvent, type App } from './support/apps.ts'
import { startRestartable, type Restartable } from './support/restartable.ts'
import { onKinds } from './support/store-servers.ts'
import { secret } from './support/stores.ts'

describe.each(onKinds(adapters))('$name across a restart of $kind.name', ({ start, kind }) => {
  let server: Restartable
  let manager: SessionManager
  let app: App

  beforeEach(async () => {
    server = await startRestartable(kind)
    manager = createSessionManager({ store: await kind.open(server.port), secret, onEvent: tellEvent })
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
    await server.end()
  })

  const get = (path: string, cookie = '') => app.fetch(path, { headers: { cookie } })

  async function signIn(user: string): Promise<string> {
    return (await get(`/sign-in?user=${user}`)).setCookie!.split(';')[0]!
  }

  async function startAgain(cookie: string): Promise<void> {
    await server.startAgain()
    while ((await get('/user', cookie)).status !== 200) await sleep(20)
  }

  it('F1: nobody is signed out, and a sign-out during the gap fails visibly and can be repeated', async () => {
    const cookies = await Promise.all(Array.from({ length: 20 }, (_, index) => signIn(`u${index}`)))
    const left = cookies.splice(15)
    const answers = await Promise.all(left.map((cookie) => get('/sign-out', cookie)))
    // Right after the answers; redis-server is killed.
    await server.stop(true)
    expect(answers.map(({ status }) => status)).toEqual(left.map(() => 200))
    const failed = await get('/sign-out', cookies[0])
    expect([failed.status, failed.setCookie]).toEqual([503, undefined])
    expect((await get('/user', cookies[1])).status).toBe(503)

    await startAgain(cookies[0]!)
    for (const [index, cookie] of cookies.entries()) {
      expect((await get('/user', cookie)).body).toBe(`u${index}`)
    }
    for (const cookie of left) expect((await get('/user', cookie)).body).toBe('undefined')
    const repeated = await get('/sign-out', cookies[0])
    expect([repeated.status, repeated.setCookie]).toEqual([200, expect.stringContaining('Max-Age=0')])
    expect((await get('/user', cookies[0])).body).toBe('undefined')
    expect((await get('/user', cookies[1])).body).toBe('u1')
  })

  it('a restart that keeps nothing signs everybody out, without an error', async () => {
    const cookie = await signIn('u1')
    await server.stop(false)
    await startAgain(cookie)
    const { body, setCookie } = await get('/user', cookie)
    expect([body, setCookie]).toEqual(['undefined', undefined])
    const again = await signIn('u1')
    expect((await get('/user', again)).body).toBe('u1')
  })
})
