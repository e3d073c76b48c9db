// The application that in-flight.ts puts under load, in a process of its own; SESSION_STORE and MAX_IN_FLIGHT configure it.
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { session, type SessionVariables } from '../../src/adapters/hono.ts'
import { StoreUnavailableError } from '../../src/core/index.ts'
import { MemcachedStore } from '../../src/core/stores/memcached/memcached-store.ts'
import { sampleData, type Data } from '../lib/sample-data.ts'

/** What was refused for `maxInFlight` since it was asked last. */
export interface Seen {
  /** Milliseconds from a request's arrival in the application to its refusal, in ascending order. */
  refusedAfter: number[]
  refusedWrites: number
}

let seen: Seen = { refusedAfter: [], refusedWrites: 0 }

const app = new Hono<{ Variables: SessionVariables<Data> }>()
app.use(async (c, next) => {
  const startedAt = performance.now()
  await next()
  if (isRefusal(c.error)) seen.refusedAfter.push(performance.now() - startedAt)
})
app.use(
  session<Data>({
    store: new MemcachedStore({
      servers: process.env['SESSION_STORE']!,
      maxInFlight: Number(process.env['MAX_IN_FLIGHT']),
    }),
    secret: 'a secret for measuring, of 32 bytes or more',
    onEvent({ error }) {
      if (isRefusal(error) && error.operation !== 'get') seen.refusedWrites++
    },
  }),
)
app.get('/untouched', (c) => c.text('no session'))
app.get('/sign-in', (c) => {
  for (const [key, value] of Object.entries(sampleData())) c.var.session.set(key as keyof Data, value)
  return c.text('signed in')
})
app.get('/read', async (c) => c.text(`user ${await c.var.session.get('userId')}`))
app.get('/write', async (c) => c.text(`views ${await c.var.session.update('views', (n = 0) => n + 1)}`))

serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => process.send!(port))
process.on('message', () => {
  process.send!({ ...seen, refusedAfter: seen.refusedAfter.toSorted((left, right) => left - right) })
  seen = { refusedAfter: [], refusedWrites: 0 }
})
process.once('disconnect', () => process.exit())

function isRefusal(error: unknown): error is StoreUnavailableError {
  if (!(error instanceof StoreUnavailableError)) return false
  return (error.cause as { code?: string }).code === 'ERR_TOO_MANY_WAITING'
}
