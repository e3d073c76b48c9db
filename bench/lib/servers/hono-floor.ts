import { randomBytes } from 'node:crypto'
import { Hono, type Context } from 'hono'
import { listenWithFetch, memcached, paths, TTL_SECONDS } from './listening.ts'
import { RawClient } from './raw-client.ts'

/** The least that a session in memcached can cost: its operations and its two headers, and no session. */
const client = new RawClient(memcached)
const record = randomBytes(330)
/** What holdfast keeps of a user with one session. */
const mark = randomBytes(210)

const app = new Hono<{ Variables: { isTouched?: boolean } }>().use(async (c, next) => {
  await next()
  if (!c.get('isTouched')) return
  c.res.headers.append('Vary', 'Cookie')
  c.res.headers.append('Cache-Control', 'private')
})
app.get(paths.untouched, (c) => c.text('no session'))
app.get(paths.signIn, async (c) => {
  c.header('Set-Cookie', `key=${await stored(record)}`)
  return c.text('signed in')
})
app.get(paths.signInUser, async (c) => {
  c.header('Set-Cookie', `key=${await stored(record)}`)
  c.header('Set-Cookie', `mark=${await stored(mark)}`, { append: true })
  return c.text('signed in')
})
app.get(paths.read, async (c) => {
  const { value } = await touched(c)
  return c.text(`${value.length}`)
})
app.get(paths.write, async (c) => {
  const { key, version } = await touched(c)
  await client.replace(key, record, TTL_SECONDS, version)
  return c.text('written')
})
listenWithFetch(app.fetch)

async function stored(bytes: Buffer): Promise<string> {
  const key = randomBytes(32).toString('base64url')
  await client.set(key, bytes, TTL_SECONDS)
  return key
}

/** One after the other, since a record says whose it is. */
async function touched(c: Context): Promise<{ key: string; value: Buffer; version: Buffer }> {
  c.set('isTouched', true)
  const [key, markKey] = c.req.raw.headers.get('cookie')!.slice('key='.length).split('; mark=')
  const found = await client.getAndTouch(key!, TTL_SECONDS)
  if (markKey !== undefined) await client.getAndTouch(markKey, TTL_SECONDS)
  return { key: key!, ...found }
}
