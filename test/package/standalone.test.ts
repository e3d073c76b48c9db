import { cp, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Browser, type Answer } from '../support/browser.ts'
import { startMemcached } from '../support/memcached.ts'
import { startRedis } from '../support/redis.ts'
import { pack, say, temporaryFolder } from './project.ts'
import { serve, type Served } from './served.ts'

const STORES = { memcached: startMemcached, redis: startRedis }
const SECRET = 'a secret of these examples, and of nobody else'
/** For `bun install` and `bun run`, where Bun is not installed otherwise. */
const PATH = [process.env['PATH'], resolve('test/runtimes/node_modules/.bin')].join(delimiter)

const EXAMPLES = [
  { name: 'hono', manager: 'npm', kind: 'memcached' },
  { name: 'koa', manager: 'npm', kind: 'memcached' },
  { name: 'express', manager: 'npm', kind: 'redis' },
  { name: 'bun', manager: 'bun', kind: 'memcached' },
] as const

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder()
  const { tarball } = await pack(folder.path)
  await Promise.all(EXAMPLES.map(({ name, manager }) => install(name, manager, tarball)))
}, 120_000)
afterAll(() => folder?.remove())

describe.each(EXAMPLES)('examples/standalone, copied: $name', ({ name, manager, kind }) => {
  let store: Awaited<ReturnType<(typeof STORES)[typeof kind]>>
  let served: Served
  let ada: Browser
  beforeAll(async () => {
    store = await STORES[kind]()
    served = await start()
  })
  afterAll(async () => {
    await served?.stop()
    await store?.stop()
  })
  beforeEach(() => {
    ada = new Browser()
  })

  it('compiles', async () => {
    expect(await inShell(name, `${manager} run --silent check`)).toBe('')
  })

  it('begins a session with a sign-in, and refuses who does not know the password', async () => {
    for (const fields of [{}, { name: 'ada', password: 'guessed' }, { name: 'zoe', password: 'lovelace' }]) {
      const refused = await ada.send(`${served.url}/sign-in`, fields as Record<string, string>)
      expect([refused.status, refused.headers.getSetCookie()]).toEqual([401, []])
    }
    const [first, second] = [await signIn(ada), await signIn(ada)]
    expect([first.status, first.headers.get('Location')]).toEqual([302, '/counter'])
    expect(cookieOf(first)).toMatch(/^__Host-session=[\w-]+$/)
    expect(cookieOf(second)).toMatch(/^__Host-session=[\w-]+$/)
    expect(cookieOf(second)).not.toBe(cookieOf(first))
  })

  it('sends strangers to the sign-in page, and counts nothing of theirs', async () => {
    for (const answer of [
      await ada.fetch(`${served.url}/counter`),
      await ada.send(`${served.url}/counter`),
    ]) {
      expect([answer.status, answer.headers.get('Location')]).toEqual([302, '/'])
      expect(answer.headers.getSetCookie()).toEqual([])
    }
    expect((await ada.open(`${served.url}/counter`)).html).toContain('action="/sign-in"')
  })

  it('counts clicks that come at the same time', async () => {
    await signIn(ada)
    const clicks = await Promise.all(Array.from({ length: 8 }, () => ada.send(`${served.url}/counter`)))
    expect(clicks.map(({ status }) => status)).toEqual(Array(8).fill(302))
    const page = await ada.open(`${served.url}/counter`)
    expect(page.text).toContain('You counted to 8.')
    expect(page.headers.get('Content-Type')).toMatch(/^text\/html; charset=utf-8$/i)
    expect(page.html).toMatch(/^<!doctype html>/)
  })

  it('ends a session with a sign-out, for copies of the cookie, too', async () => {
    await signIn(ada)
    const copy = ada.copy()
    const answer = await ada.send(`${served.url}/sign-out`)
    expect([answer.status, answer.headers.get('Location')]).toEqual([302, '/'])
    expect(await ada.cookies(served.url)).toEqual([])
    expect((await copy.fetch(`${served.url}/counter`)).headers.get('Location')).toBe('/')
  })

  it('refuses forms of another site', async () => {
    await signIn(ada)
    const forged = {
      method: 'POST',
      body: new URLSearchParams(),
      headers: { Origin: 'https://evil.example' },
    }
    for (const path of ['/sign-in', '/counter', '/sign-out']) {
      expect((await ada.fetch(served.url + path, forged)).status, path).toBe(403)
    }
    expect((await ada.open(`${served.url}/counter`)).text).toContain('You counted to 0.')
  })

  it('answers 503 while the store does not answer, and signs nobody out', async () => {
    await signIn(ada)
    await store.freeze()
    const page = await ada.open(`${served.url}/counter`)
    expect([page.status, page.headers.get('Retry-After')]).toEqual([503, '1'])
    expect((await ada.send(`${served.url}/sign-out`)).status).toBe(503)
    expect((await ada.open(served.url)).html).toContain('action="/sign-in"')
    store.thaw()
    await expect
      .poll(() => ada.open(`${served.url}/counter`).then(({ text }) => text), { timeout: 5000 })
      .toContain('You counted to 0.')
  })

  it('ends with 0 by SIGTERM, and its sessions go on in the next process', async () => {
    await signIn(ada)
    await ada.submit(`${served.url}/counter`)
    expect(await served.end()).toBe(0)
    served = await start()
    expect((await ada.open(`${served.url}/counter`)).text).toContain('You counted to 1.')
  })

  it('ends with 0 while the store does not answer', async () => {
    await signIn(ada)
    await store.freeze()
    expect((await ada.open(`${served.url}/counter`)).status).toBe(503)
    expect(await served.end()).toBe(0)
  })

  it('needs no store', async () => {
    await served.stop()
    served = await start({ SESSION_STORE: undefined, SESSION_SECRET: undefined })
    await signIn(ada)
    expect((await ada.submit(`${served.url}/counter`)).text).toContain('You counted to 1.')
    expect(await served.end()).toBe(0)
  })

  /** What the script `start` runs, with no process in between that would take the signal. */
  async function start(settings: Record<string, string | undefined> = {}): Promise<Served> {
    const path = join(folder.path, name)
    const { scripts } = JSON.parse(await readFile(join(path, 'package.json'), 'utf8'))
    return serve(path, ['sh', '-ec', `exec ${scripts.start}`], () => ({
      PATH,
      NODE_ENV: 'production', // else Express answers with the stack of an error
      SESSION_STORE: store.address,
      SESSION_SECRET: SECRET,
      ...settings,
    }))
  }

  function signIn(browser: Browser): Promise<Answer> {
    return browser.send(`${served.url}/sign-in`, { name: 'ada', password: 'lovelace' })
  }
})

function cookieOf({ headers }: Answer): string | undefined {
  return headers.getSetCookie()[0]?.split(';')[0]
}

async function install(name: string, manager: 'npm' | 'bun', tarball: string): Promise<void> {
  const path = join(folder.path, name)
  const filter = (source: string) => !source.includes('node_modules')
  await cp(`examples/standalone/${name}`, path, { recursive: true, filter })
  const description = await readFile(join(path, 'package.json'), 'utf8')
  // In place of the published one.
  const packed = description.replace('"^0.1.0"', JSON.stringify(`file:${tarball}`))
  expect(packed).not.toBe(description)
  await writeFile(join(path, 'package.json'), packed)
  const options = { npm: '--prefer-offline --no-audit --no-fund --loglevel=error', bun: '--silent' }
  expect(await inShell(name, `${manager} install ${options[manager]}`)).not.toMatch(/^\d+: /)
}

function inShell(name: string, command: string): Promise<string> {
  return say('sh', ['-ec', `PATH='${PATH}'; ${command}`], join(folder.path, name))
}
