import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { Hono } from 'hono'
import Koa from 'koa'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Session, SessionManager } from '../src/core/index.ts'
import { secret } from './support/stores.ts'
import { visitOk } from './support/visit.ts'

/** What a package of the workspace gets when it imports `holdfast` and its adapters. */
interface Copy {
  core: typeof import('../src/core/index.ts')
  hono: typeof import('../src/adapters/hono.ts')
  koa: typeof import('../src/adapters/koa.ts')
  node: typeof import('../src/adapters/node.ts')
  fetch: typeof import('../src/adapters/fetch.ts')
}

type Handle = (session: Session) => Promise<string>
type Ask = (cookie?: string) => Promise<Response>

/** Mounts the adapter of a copy once for each manager, the first outermost. */
const adapters: Record<string, (copy: Copy, managers: SessionManager[], handle: Handle) => Promise<Ask>> = {
  async Hono({ hono }, managers, handle) {
    const app = new Hono<{ Variables: { session: Session } }>()
    for (const manager of managers) app.use(hono.session(manager))
    app.get('/', async (c) => c.text(await handle(c.var.session)))
    app.onError((error, c) => c.text((error as { code?: string }).code ?? String(error), 500))
    return async (cookie = '') => app.request('/', { headers: { cookie } })
  },
  async Koa({ koa }, managers, handle) {
    const app = new Koa()
    app.use(async (ctx, next) => {
      await next().catch((error) => Object.assign(ctx, { status: 500, body: error.code ?? String(error) }))
    })
    for (const manager of managers) app.use(koa.session(manager))
    app.use(async (ctx) => {
      ctx.body = await handle(ctx['session'])
    })
    return serve(app.callback())
  },
  async node({ node }, managers, handle) {
    const mounted = managers.map((manager) => node.session(manager))
    return serve((request, response) => {
      const step = (index: number) => (error?: unknown) => {
        if (error) return void response.writeHead(500).end((error as { code: string }).code)
        if (index < mounted.length) return mounted[index]!(request, response, step(index + 1))
        const { session } = request as unknown as { session: Session }
        return void handle(session).then((text) => response.end(text))
      }
      step(0)()
    })
  },
  async fetch({ fetch }, managers, handle) {
    const inner: (request: Request) => Promise<Response> = managers.reduceRight<any>(
      (next, manager) =>
        fetch.withSession(manager, (request, session) => next?.(request) ?? answer(handle(session))),
      undefined,
    )
    return (cookie = '') =>
      inner(new Request('http://localhost/', { headers: { cookie } })).catch(
        (error) => new Response(error.code, { status: 500 }),
      )
  },
}

const answer = async (text: Promise<string>) => new Response(await text)

async function serve(listener: RequestListener): Promise<Ask> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo
  return (cookie = '') => fetch(`http://127.0.0.1:${port}/`, { headers: { cookie } })
}

const count: Handle = async (session) => `view ${await session.update('views', (n = 0) => n + 1)}`

/** The cookies of a response, as a browser would send them. */
const cookiesOf = ({ headers }: Response) => headers.getSetCookie().map((line) => line.split(';')[0]!)

describe('a workspace with copies of the package', () => {
  let folder: string
  let app: Copy
  let shop: Copy
  let older: Copy
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'holdfast two copies-')))
    const built = join(folder, 'built')
    await promisify(execFile)('node_modules/.bin/tsc', [
      '-p',
      'tsconfig.build.json',
      '--outDir',
      join(built, 'dist'),
    ])
    await cp('package.json', join(built, 'package.json'))
    const workspace = join(folder, 'the work space')
    app = await install(built, workspace)
    shop = await install(built, join(workspace, 'packages/shop'))
    await setProtocol(join(built, 'dist/core/brand.js'), 0)
    older = await install(built, join(workspace, 'packages/older'))
  }, 60_000)
  afterAll(() => rm(folder, { recursive: true }))

  it('has three', () => {
    expect(new Set([app, shop, older].map(({ core }) => core.MemoryStore)).size).toBe(3)
  })

  describe.each(Object.entries(adapters))('%s', (_, mount) => {
    it('L1: serves by a manager of another copy, which joins itself', async () => {
      const manager = shop.core.createSessionManager({ store: new shop.core.MemoryStore(), secret })
      const ask = await mount(app, [manager, manager], count)
      const first = await ask()
      expect(await first.text()).toBe('view 1')
      const cookies = cookiesOf(first)
      expect(cookies).toHaveLength(1)
      expect(await (await ask(cookies[0])).text()).toBe('view 2')
      expect((await visitOk(manager, cookies[0]!, (session) => session.get('views'))).result).toBe(2)
    })

    it("L1, D5: refuses a second manager, of whichever copy, over another one's session", async () => {
      const [ours, theirs] = [app.core.createSessionManager(), shop.core.createSessionManager()]
      for (const managers of [[ours, theirs], [theirs, ours], [theirs, shop.core.createSessionManager()]]) {
        const response = await (await mount(app, managers, count))()
        expect([response.status, await response.text()]).toEqual([500, 'ERR_SESSION_MOUNTED_TWICE'])
      }
    }) // prettier-ignore

    it('L1: refuses a manager of a copy that speaks otherwise, naming both', async () => {
      const old = older.core.createSessionManager()
      await expect(mount(app, [old], count)).rejects.toThrow(
        /^options: expected a manager that speaks protocol 2, got one that speaks 0; two versions of holdfast are /,
      )
      await expect(mount(older, [app.core.createSessionManager()], count)).rejects.toThrow(
        /^options: expected a manager that speaks protocol 0, got one that speaks 2; /,
      )
      await expect(mount(older, [old], count)).resolves.toBeDefined()
    })
  })

  it('L1: handlers that two copies have wrapped join', async () => {
    const manager = shop.core.createSessionManager()
    const inner = shop.fetch.withSession(manager, async (_request, session) => answer(count(session)))
    const outer = app.fetch.withSession(manager, async (request, session) => {
      await count(session)
      return inner(request)
    })
    const response = await outer(new Request('http://localhost/'))
    expect(await response.text()).toBe('view 2')
    expect(cookiesOf(response)).toHaveLength(1)
  })

  it.each(['the same number', 'another number'])(
    "L1: another copy's MemoryStore needs no secret, and managers of both share what it holds: %s",
    async (number) => {
      const other = number === 'another number' ? older : shop
      const store = new other.core.MemoryStore()
      const [ours, theirs] = [app.core.createSessionManager({ store }), other.core.createSessionManager({ store })]
      const { cookie } = await visitOk(ours, undefined, (session) => session.set('user', 'u1'))
      expect(store.size).toBe(1)
      expect((await visitOk(theirs, cookie, (session) => session.get('user'))).result).toBe('u1')
    },
  ) // prettier-ignore
})

/** As a package manager leaves it when a package of the workspace needs a copy of its own. */
async function install(built: string, into: string): Promise<Copy> {
  await mkdir(join(into, 'node_modules'), { recursive: true })
  await writeFile(join(into, 'package.json'), '{ "private": true, "type": "module" }')
  await cp(built, join(into, 'node_modules/holdfast'), { recursive: true })
  const { resolve } = createRequire(join(into, 'package.json'))
  const load = async (entry: string) => import(/* @vite-ignore */ pathToFileURL(resolve(entry)).href)
  return {
    core: await load('holdfast'),
    hono: await load('holdfast/hono'),
    koa: await load('holdfast/koa'),
    node: await load('holdfast/node'),
    fetch: await load('holdfast/fetch'),
  }
}

async function setProtocol(file: string, to: number): Promise<void> {
  const code = await readFile(file, 'utf8')
  const changed = code.replace(/PROTOCOL = \d+/, `PROTOCOL = ${to}`)
  expect(changed).not.toBe(code)
  await writeFile(file, changed)
}
