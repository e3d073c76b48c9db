import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { adapters } from './support/apps.ts'
import { startApp } from './support/process.ts'
import { environmentOf, onKinds, onMemcached } from './support/store-servers.ts'

const REQUESTS_A_SECOND = 100

describe('An application with no onEvent, whose store loses its server', { timeout: 30_000 }, () => {
  it.concurrent.for(onKinds(adapters))(
    'K2, K3: $name on $kind.name: its console says so, and when it is back',
    async ({ name, kind }, { onTestFinished }) => {
      const store = await kind.start()
      const { port } = store
      const env = { ADAPTER: name, ...environmentOf(kind, store), NODE_ENV: 'production' }
      onTestFinished(() => store.stop())
      const server = await startApp('outage', env)
      onTestFinished(() => server.stop())
      const said = () => server.output().match(/^holdfast: .*$/gm) ?? []
      const get = (path: string, cookie = '') => fetch(server.url + path, { headers: { cookie } })
      const signedIn = await get('/sign-in')
      const cookie = signedIn.headers.getSetCookie()[0]!.split(';')[0]!
      /** As many requests as that takes, none of which waits for another. */
      const visit = async (milliseconds: number) => {
        const answers: Promise<number>[] = []
        const startedAt = performance.now()
        for (let at = 0; at < milliseconds; at += 1000 / REQUESTS_A_SECOND) {
          await sleep(Math.max(0, startedAt + at - performance.now()))
          answers.push(get('/read', cookie).then(({ status }) => status))
        }
        return new Set(await Promise.all(answers))
      }
      // Until everything is compiled.
      for (let times = 0; times < 20; times++) await get('/read', cookie)
      expect(await visit(300)).toEqual(new Set([200]))
      expect(said()).toEqual([])

      await store.stop()
      expect(await visit(2000)).toEqual(new Set([503]))
      // A client of Redis keeps what it cannot send, and knows why; the store knows that nothing was answered.
      const why = kind === onMemcached ? `connect ECONNREFUSED 127.0.0.1:${port}` : 'no answer in time'
      const whileDown = [
        expect.stringMatching(/^holdfast: the session store did not answer \(get\): .*503$/),
        `holdfast: the store's server 127.0.0.1:${port} is down (${why}): sessions on it are answered 503 until it answers`,
      ]
      expect(said()).toEqual(whileDown)
      await visit(1000)
      expect(said()).toEqual(whileDown)

      await store.startAgain()
      while ((await get('/read', cookie)).status !== 200) await sleep(20)
      await visit(500)
      expect(said()).toEqual([
        ...whileDown,
        `holdfast: the store's server 127.0.0.1:${port} answers again`,
        `holdfast: the store's server 127.0.0.1:${port} was restarted and has lost its sessions: who had one there has to sign in again`,
      ])
      for (const line of said()) expect(line).not.toContain(cookie.split('=')[1])
    },
  )
})
