import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { request as requestSecurely } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { createServer as createVite } from 'vite'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createSessionManager, type SessionEvent, type SessionOptions } from 'holdfast'
import { session } from 'holdfast/hono'
import { MemcachedStore } from 'holdfast/memcached'
import { readSession } from 'holdfast/testing'
import config from '../../vitest.config.ts'
import { makeAuthority, type Certificate } from '../support/certificates.ts'
import { freePort } from '../support/free-port.ts'
import { startMemcached } from '../support/memcached.ts'
import { runNginx } from '../support/nginx.ts'
import { listen } from '../support/recipes.ts'
import { endWithTests } from '../support/running.ts'
import { secret } from '../support/stores.ts'

const guide = readFileSync('docs/running.md', 'utf8')
const FOLDER = 'test/recipes/running'
const BUN = 'test/runtimes/node_modules/.bin/bun'
const TSX = 'node_modules/tsx/dist/cli.mjs'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

/** What the programs of the page are started with: a memcached, and a file that holds the secret. */
async function surroundings() {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-running-'))
  ends.push(() => rm(folder, { recursive: true }))
  const SESSION_SECRET_FILE = join(folder, 'session-secret')
  await writeFile(SESSION_SECRET_FILE, `${secret}\n`)
  const server = await startMemcached()
  ends.push(() => server.stop())
  return { PORT: '0', SESSION_STORE: server.address, SESSION_SECRET_FILE }
}

/** A program in a process of its own; `listening` waits until it says, once more, where it listens. */
function start(command: string, args: readonly string[], env: Record<string, string>) {
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  // In a group of its own, by which what it starts itself ends, too.
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: [...stdio],
    detached: true,
  })
  const endGroup = () => {
    try {
      process.kill(-child.pid!, 'SIGKILL')
    } catch {
      // Nobody of it is left.
    }
  }
  endWithTests(child, undefined, endGroup)
  ends.push(endGroup)
  const exited = once(child, 'exit')
  const lines = createInterface(child.stdout!)
  return {
    child,
    exited,
    async listening(): Promise<string> {
      const [line] = (await once(lines, 'line')) as [string]
      const [, port] = /^listening on .*:\s?(\d+)/.exec(line) ?? []
      return port === undefined ? this.listening() : `http://localhost:${port}`
    },
  }
}

async function signIn(url: string): Promise<string> {
  const response = await fetch(`${url}/login`, { method: 'POST', redirect: 'manual' })
  return response.headers.getSetCookie()[0]!.split(';')[0]!
}

async function ask(url: string, cookie: string): Promise<string> {
  return (await fetch(url, { headers: { cookie } })).text()
}

describe('a reload in development', () => {
  it.each([
    ['keeps', 'globalThis.sessions ??= createManager()', 'u1: '],
    ['without globalThis makes anew', 'createManager()', 'nobody: '],
  ])('by vite %s the manager, and who is signed in', async (_, expression, greeting) => {
    const vite = await createVite({
      root: FOLDER,
      configFile: false,
      logLevel: 'error',
      appType: 'custom',
      resolve: { alias: config.resolve!.alias! },
      server: { middlewareMode: true, hmr: false, ws: false, watch: null },
      optimizeDeps: { noDiscovery: true },
      plugins: [
        {
          name: 'another manager',
          transform: (code) => code.replace('globalThis.sessions ??= createManager()', expression),
        },
      ],
    })
    ends.push(() => vite.close())
    ends.push(() => (globalThis.sessions = undefined))
    const app = async (): Promise<Hono> => (await vite.ssrLoadModule('/app.ts'))['app']
    const response = await (await app()).request('/login', { method: 'POST' })
    const cookie = response.headers.getSetCookie()[0]!.split(';')[0]!
    const greet = async () => (await (await app()).request('/', { headers: { cookie } })).text()
    expect(await greet()).toBe('u1: ')
    vite.moduleGraph.onFileChange(resolve(FOLDER, 'manager.ts'))
    expect(await greet()).toBe(greeting)
  })

  it('by tsx watch is another process, which finds them in memcached', async () => {
    const env = { ...(await surroundings()), PORT: String(await freePort()) }
    const watched = env.SESSION_SECRET_FILE
    const args = [TSX, 'watch', '--include', watched, join(FOLDER, 'server.ts')]
    const shop = start(process.execPath, args, env)
    const url = await shop.listening()
    const cookie = await signIn(url)
    const isBack = shop.listening()
    // Once more where it came before the watching.
    await expect
      .poll(
        async () => {
          await writeFile(watched, `${secret}\n\n`)
          return Promise.race([isBack, sleep(4000)])
        },
        { timeout: 20_000 },
      )
      .toBe(url)
    expect(await ask(url, cookie)).toBe('u1: ')
    shop.child.kill('SIGTERM')
    await shop.exited
  }, 40_000)
})

const dockerfile = readFileSync(join(FOLDER, 'Dockerfile'), 'utf8')
const [, ...command] = JSON.parse(/^CMD (.*)$/m.exec(dockerfile)![1]!) as string[]

describe.each([
  ['node, as the Dockerfile starts it', process.execPath, command.slice(0, -1), command.at(-1)!],
  ['bun', BUN, [], 'bun.ts'],
])('SIGTERM, to %s', (_, runtime, args, program) => {
  it('lets who is there be answered, saves that, and ends', async () => {
    const env = await surroundings()
    const shop = start(runtime, [...args, join(FOLDER, program)], env)
    const url = await shop.listening()
    const cookie = await signIn(url) // by a connection that fetch keeps open
    const socket = connect(Number(new URL(url).port), 'localhost')
    await once(socket, 'connect')
    const head = ['POST /notes HTTP/1.1', 'Host: shop', `Cookie: ${cookie}`, 'Content-Length: 10']
    socket.write(`${head.join('\r\n')}\r\n\r\nhello`)
    await ask(url, cookie)
    const began = performance.now()
    shop.child.kill('SIGTERM')
    await expect
      .poll(() => fetch(url).catch(() => 'refused'), { interval: 10, timeout: 10_000 })
      .toBe('refused')
    expect(shop.child.exitCode).toBeNull()
    socket.write('world')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(String(answer)).toMatch(/^HTTP\/1.1 200 OK\r\n/)
    expect(await shop.exited).toEqual([0, null])
    expect(performance.now() - began).toBeLessThan(5000)
    const manager = createSessionManager({ store: new MemcachedStore(env.SESSION_STORE), secret })
    ends.push(() => manager.close())
    expect(await readSession(manager, cookie)).toEqual({ notes: ['helloworld'] })
  })
})

/** Time runs fifty times as fast, and every WebSocket is taken. */
const HURRIED = `data:text/javascript,${encodeURIComponent(`
  import { Server } from 'node:http'
  const { setTimeout } = globalThis
  globalThis.setTimeout = (run, ms, ...rest) => setTimeout(run, ms / 50, ...rest)
  const { listen } = Server.prototype
  Server.prototype.listen = function (...where) {
    this.on('upgrade', (_, socket) => socket.write('HTTP/1.1 101 Switching Protocols\\r\\n\\r\\n'))
    return listen.apply(this, where)
  }`)}`

describe('SIGTERM while a WebSocket is open', () => {
  it('ends the process all the same', async () => {
    const args = [...command.slice(0, -1), '--import', HURRIED, join(FOLDER, 'server.ts')]
    const shop = start(process.execPath, args, await surroundings())
    const socket = connect(Number(new URL(await shop.listening()).port), 'localhost')
    socket.write('GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 101 /)
    shop.child.kill('SIGTERM')
    expect(await shop.exited).toEqual([0, null])
  })
})

describe('a request after close()', () => {
  it('is answered 503, and the cause says why', async () => {
    const causes: unknown[] = []
    const onEvent = ({ error }: SessionEvent) => void causes.push((error as Error).cause)
    const manager = createSessionManager({
      store: new MemcachedStore('memcached://127.0.0.1:11200'),
      secret,
      onEvent,
    })
    const app = new Hono().use(session(manager)).get('/', async (c) => {
      c.var.session.set('views', 1)
      return c.text('ok')
    })
    await manager.close()
    expect((await app.request('/')).status).toBe(503)
    expect(causes[0]).toMatchObject({ code: 'ERR_STORE_CLOSED' })
  })
})

/** A shop that tells what happened, and whose news come in a stream that does not end. */
function createShop(options: SessionOptions = {}) {
  const events: string[] = []
  const app = new Hono().use(session({ ...options, onEvent: ({ type }) => void events.push(type) }))
  app.post('/login', (c) => {
    c.var.session.signIn('u1')
    return c.text('signed in')
  })
  app.get('/news', () => {
    const body = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('data: 1\n\n')) })
    const headers = { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' }
    return new Response(body, { headers })
  })
  return { app, events }
}

type Shop = ReturnType<typeof createShop>['app']

describe('behind nginx', () => {
  const [, site] = /```nginx\n(.*?)```/s.exec(guide)!
  let certificate: Certificate
  let ca: string
  let removeAuthority: () => Promise<void>
  beforeAll(async () => {
    const authority = await makeAuthority()
    removeAuthority = () => authority.remove()
    certificate = await authority.sign(['shop.example'])
    ca = authority.cert
  })
  afterAll(() => removeAuthority())

  it('is https for who sees X-Forwarded-Proto, and streams are not held back', async () => {
    const { app, events } = createShop()
    const ask = await serve(app, site!)
    const { headers } = await ask('POST', '/login')
    expect(headers['set-cookie']).toEqual([expect.stringMatching(/^__Host-session=.*; Secure; HttpOnly/)])
    expect(events).toEqual(['signed-in'])
    expect((await ask('GET', '/news')).first).toBe('data: 1\n\n')
  })

  it('lets WebSockets through', async () => {
    const ask = await serve(createShop().app, site!)
    expect((await ask('GET', '/socket', '', { Connection: 'Upgrade', Upgrade: 'websocket' })).status).toBe(
      101,
    )
  })

  it('is plain http without that header, which is told, and the cookie is the same', async () => {
    const { app, events } = createShop()
    const ask = await serve(app, site!.replace(/.*X-Forwarded-Proto.*\n/, ''))
    const { headers } = await ask('POST', '/login')
    expect(headers['set-cookie']).toEqual([expect.stringMatching(/^__Host-session=.*; Secure; HttpOnly/)])
    expect(events).toEqual(['signed-in', 'insecure-cookie'])
  })

  it('has its own bound for cookies, and node the next one', async () => {
    const { app } = createShop()
    const cookie = `other=${'x'.repeat(9000)}`
    expect((await (await serve(app, site!))('POST', '/login', cookie)).status).toBe(400)
    const wider = `large_client_header_buffers 4 32k;\n${site!}`
    const ask = await serve(app, wider)
    expect((await ask('POST', '/login', cookie)).status).toBe(200)
    expect((await ask('POST', '/login', cookie + cookie)).status).toBe(431)
  })

  /** The site of the page before this application; gives back what asks it. */
  async function serve(app: Shop, text: string) {
    const server = createServer(getRequestListener(app.fetch))
    server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'))
    const { port: ownPort } = new URL(await listen(server))
    const port = await freePort()
    const moved = text
      .replace('443', `127.0.0.1:${port}`)
      .replace('3000', ownPort)
      .replace('/etc/ssl/shop.pem', `"${certificate.certFile}"`)
      .replace('/etc/ssl/shop.key', `"${certificate.keyFile}"`)
    const nginx = await runNginx(moved)
    ends.push(() => nginx.stop())
    return async (method: string, path: string, cookie = '', more = {}) => {
      const headers = { Host: 'shop.example', Cookie: cookie, ...more }
      const where = { host: '127.0.0.1', port, servername: 'shop.example', ca, agent: false as const }
      const request = requestSecurely({ ...where, method, path, headers }).end()
      const answered = Promise.race([once(request, 'response'), once(request, 'upgrade')])
      const [response] = (await answered) as [IncomingMessage]
      const [first = ''] = await Promise.race([once(response, 'data'), once(response, 'end')])
      response.destroy()
      return { status: response.statusCode, headers: response.headers, first: String(first) }
    }
  }
})

describe('plain http in staging', () => {
  const { app, events } = createShop()
  const login = (shop: Shop) => shop.request('http://shop.staging/login', { method: 'POST' })

  it('is told, since browsers drop the cookie', async () => {
    expect((await login(app)).headers.getSetCookie()[0]).toMatch(/^__Host-session=.*; Secure/)
    expect(events).toEqual(['signed-in', 'insecure-cookie'])
  })

  it.each([
    [undefined, true],
    ['yes', false],
  ])('is taken with an option of its own: PLAIN_HTTP=%s', async (PLAIN_HTTP, secure) => {
    const [, shown] = /`cookie: \{ secure: process\.env\.PLAIN_HTTP !== '(\w+)' \}`/.exec(guide)!
    const shop = createShop({ cookie: { secure: PLAIN_HTTP !== shown } })
    const [cookie] = (await login(shop.app)).headers.getSetCookie()
    expect(cookie!.startsWith('session=')).toBe(!secure)
    expect(cookie!.includes('Secure')).toBe(secure)
    expect(shop.events.includes('insecure-cookie')).toBe(secure)
  })
})
