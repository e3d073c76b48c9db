// A server in a process of its own, to be measured while its store's server fails: ADAPTER, STORE_KIND and STORE_PORT say which.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createSessionManager } from '../../src/core/index.ts'
import { adapters } from './apps.ts'
import { openStore } from './store-servers.ts'

declare const Bun: { gc(isSynchronous: boolean): void } | undefined

let uncaught = 0
for (const event of ['unhandledRejection', 'uncaughtException']) process.on(event, () => uncaught++)

setFlagsFromString('--expose-gc')
const collectGarbage =
  typeof Bun === 'undefined' ? (runInNewContext('gc') as () => void) : () => Bun!.gc(true)

const manager = createSessionManager({
  store: await openStore(),
  secret: 'a secret of the outage tests, long enough for one',
})
const app = await adapters
  .find(({ name }) => name === process.env['ADAPTER'])!
  .start(manager, {
    '/plain': () => ({ body: 'plain' }),
    '/sign-in': (session) => {
      session.regenerateId()
      session.set('user', 'u1')
      return { body: 'signed in' }
    },
    '/sign-out': (session) => {
      session.destroy()
      return { body: 'signed out' }
    },
    '/read': async (session) => ({ body: String(await session.get('user')) }),
    '/write': async (session) => ({ body: String(await session.update('n', (n: number = 0) => n + 1)) }),
    '/vitals': () => {
      collectGarbage()
      return { body: JSON.stringify({ heapUsed: process.memoryUsage().heapUsed, uncaught }) }
    },
  })
console.log(app.url)
