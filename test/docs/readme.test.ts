import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { createSessionManager, MemoryStore } from '../../src/core/index.ts'
import { addToCart, signIn, takeFlash } from './readme/handlers.ts'
import { startMemcached } from '../support/memcached.ts'
import { secret } from '../support/stores.ts'
import { visitOk } from '../support/visit.ts'
import { freePort } from '../support/free-port.ts'

const readme = readFileSync('README.md', 'utf8')

describe('README', () => {
  it('begins with code, and is short', () => {
    const lines = readme.trimEnd().split('\n')
    expect(lines.indexOf('```ts')).toBeLessThan(15)
    expect(lines.length).toBeLessThan(260)
  })

  it('names the commands as package.json has them', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
    expect(scripts).toMatchObject({ start: expect.any(String), test: expect.any(String) })
    expect(readme).toContain('npm ci && npm start')
    expect(readme).toContain('npm ci && npm test')
  })
})

describe('the programs of the README', () => {
  const children: ChildProcess[] = []
  afterEach(() => children.splice(0).forEach((child) => child.kill()))

  it.each([
    ['hono.ts', 'node_modules/.bin/tsx', 'view 3 of nobody'],
    ['koa.ts', 'node_modules/.bin/tsx', 'view 3'],
    ['fetch.ts', 'test/runtimes/node_modules/.bin/bun', 'view 3'],
  ])('%s counts views', async (program, runtime, expected) => {
    const url = await start(runtime, `test/docs/readme/${program}`)
    let cookie = ''
    for (const view of [1, 2, 3]) {
      const response = await fetch(url, { headers: { cookie } })
      cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie
      expect(await response.text()).toBe(expected.replace('3', String(view)))
    }
  })

  it('hono.ts signs in and out', async () => {
    const url = await start('node_modules/.bin/tsx', 'test/docs/readme/hono.ts')
    const signedIn = await fetch(`${url}/login`, { method: 'POST', redirect: 'manual' })
    const cookie = signedIn.headers.getSetCookie()[0]!.split(';')[0]!
    expect(await (await fetch(url, { headers: { cookie } })).text()).toBe('view 1 of u1')
    await fetch(`${url}/logout`, { method: 'POST', redirect: 'manual', headers: { cookie } })
    expect(await (await fetch(url, { headers: { cookie } })).text()).toBe('view 1 of nobody')
  })

  it('memcached.ts keeps sessions in memcached', async () => {
    const memcached = await startMemcached()
    process.env['SESSION_STORE'] = memcached.address
    process.env['SESSION_SECRET'] = secret
    const { manager } = await import('./readme/memcached.ts')
    try {
      const { cookie } = await visitOk(manager as never, undefined, (session) => session.set('userId', 'u1'))
      const { result } = await visitOk(manager as never, cookie, (session) => session.get('userId'))
      expect(result).toBe('u1')
      expect(await memcached.text('stats')).toContain('STAT curr_items 1')
    } finally {
      await manager.close()
      await memcached.stop()
    }
  })

  it('handlers.ts do what they say, several at once too', async () => {
    const manager = createSessionManager({ store: new MemoryStore(), secret })
    const run = (cookie: string | undefined, handler: (session: never) => unknown) =>
      visitOk(manager, cookie, handler as never)
    const signedIn = await run(undefined, (session) => signIn(session, 'u1', true))
    expect(signedIn.setCookie).toContain(`Max-Age=${90 * 86_400};`)
    const { cookie } = signedIn
    const items = ['anchor', 'chain', 'rope']
    await Promise.all(items.map((item) => run(cookie, (session) => addToCart(session, item))))
    const cart = await visitOk(manager, cookie, (session) => session.get('cart'))
    expect(cart.result.toSorted()).toEqual(items)
    expect((await run(cookie, takeFlash)).result).toMatch(/^(anchor|chain|rope) is in your cart$/)
    expect((await run(cookie, takeFlash)).result).toBeUndefined()
  })

  it('get, push and set loses two of three that come at once, as it warns', async () => {
    const manager = createSessionManager({ store: new MemoryStore(), secret })
    const { cookie } = await visitOk(manager, undefined, (session) => session.set('cart', []))
    await Promise.all(
      ['anchor', 'chain', 'rope'].map((item) =>
        visitOk(manager, cookie, async (session) => {
          const cart = (await session.get('cart')) as string[]
          cart.push(item)
          session.set('cart', cart)
        }),
      ),
    )
    expect((await visitOk(manager, cookie, (session) => session.get('cart'))).result).toHaveLength(1)
  })

  async function start(runtime: string, program: string): Promise<string> {
    const port = await freePort()
    const child = spawn(runtime, [program], { env: { ...process.env, PORT: String(port) }, stdio: 'inherit' })
    children.push(child)
    const url = `http://localhost:${port}`
    for (let attempt = 0; attempt < 200; attempt++) {
      if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`)
      const isUp = await fetch(`${url}/favicon.ico`).then(
        () => true,
        () => false,
      )
      if (isUp) return url
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`${program} does not answer on ${url}`)
  }
})
