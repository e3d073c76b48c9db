import { execFile, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import { measureSize } from '../../bench/scaling/session-cost.ts'
import { createSessionManager, StoreUnavailableError, type SessionManager } from '../../src/core/index.ts'
import {
  MemcachedStore,
  type MemcachedStoreOptions,
} from '../../src/core/stores/memcached/memcached-store.ts'
import { adapters } from '../support/apps.ts'
import { makeAuthority } from '../support/certificates.ts'
import { watchConsole } from '../support/console-watch.ts'
import { startMemcached, type Memcached, type StartOptions } from '../support/memcached.ts'
import { freePort } from '../support/free-port.ts'
import { makeUsers } from '../support/sasl.ts'
import { useServers } from '../support/servers.ts'
import { secret } from '../support/stores.ts'
import { visit, visitOk } from '../support/visit.ts'

const guide = readFileSync('docs/memcached.md', 'utf8')
const shown = (language: string) =>
  [...guide.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, code]) => code!)
const commands = shown('sh')
const [start = '', service = '', script = '', evictions = '', certificates = '', users = '', secured = ''] =
  commands
const [doctor = '', deployment = ''] = commands.slice(7)
const [unit = ''] = shown('ini')
const [fitReport = '', unfitReport = ''] = shown('text')
const FOLDER = '/etc/memcached-sessions'
const MEMORY_FILE = '/dev/shm/memcached-sessions'
const CLI = fileURLToPath(new URL('../../src/doctor/cli.ts', import.meta.url))

const { onEnd, memcached, proxy } = useServers()

/** Hosts, folders and files of the guide, and what stands for each here. */
type Places = Record<string, string>

function moved(text: string, places: Places): string {
  return Object.entries(places).reduce((so, [theirs, ours]) => so.replaceAll(theirs, ours), text)
}

/** What the guide starts memcached with, but for host and port, which the launcher gives. */
function startOptions(command: string, places: Places): Required<Pick<StartOptions, 'args' | 'env'>> {
  const guided = command.replaceAll('\\\n', ' ').trim().split(/\s+/)
  // Once they are apart: a folder's name may hold a space.
  const words = guided.map((word) => moved(word, places))
  const program = words.findIndex((word) => /^(.*\/)?memcached$/.test(word))
  const args = words.slice(program + 1)
  for (const flag of ['-l', '-p']) args.splice(args.indexOf(flag), 2)
  return { args, env: Object.fromEntries(words.slice(0, program).map((word) => word.split('='))) }
}

async function startAs(command: string, places: Places = {}, port = -1): Promise<Memcached> {
  const server = await startMemcached({ ...startOptions(command, places), port })
  onEnd(() => server.stop())
  return server
}

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-guide-'))
  onEnd(() => rm(folder, { recursive: true }))
  return folder
}

/** Runs a block of commands; `npx holdfast` is the one of this project. What it names as `$NAME` may hold a space. */
function run(command: string, options: { cwd?: string; env?: Record<string, string> } = {}) {
  const PATH = `${process.env['PATH']}:/usr/sbin`
  const ours = { NODE: process.execPath, TSX: import.meta.resolve('tsx'), CLI }
  const env = { ...process.env, NODE_OPTIONS: '', ...ours, ...options.env, PATH }
  return new Promise<{ status: unknown; stdout: string; stderr: string }>((resolve) => {
    const args = ['-ec', `IFS=\n${command.replaceAll('npx holdfast', '$NODE --import $TSX $CLI')}`]
    execFile('sh', args, { ...options, env, timeout: 14_000 }, (error, stdout, stderr) => {
      resolve({ status: error ? (error.code ?? error.signal) : 0, stdout, stderr })
    })
  })
}

function managerOf(address: string | MemcachedStoreOptions): SessionManager {
  const manager = createSessionManager({ store: new MemcachedStore(address), secret })
  onEnd(() => manager.close())
  return manager
}

const signIn = async (manager: SessionManager) =>
  (await visitOk(manager, undefined, (session) => session.set('user', 'u1'))).cookie
const userOf = async (manager: SessionManager, cookie: string) =>
  (await visitOk(manager, cookie, (session) => session.get('user'))).result

describe('docs/memcached.md', () => {
  it('has no commands and no programs but those tried here', () => {
    expect(commands).toHaveLength(9)
    expect(shown('ts')).toEqual([readFileSync('test/docs/between-hosts.ts', 'utf8')])
  })
})

describe('The instance of the guide', () => {
  const setting = (name: string) => new RegExp(`^${name}=(.+)$`, 'm').exec(unit)![1]!

  it('is fit, and the doctor says what the guide shows', async () => {
    const { port } = await startAs(start)
    const { status, stdout } = await run(doctor.replace('11200', String(port)))
    expect(status).toBe(0)
    expect(withoutFigures(stdout)).toBe(withoutFigures(fitReport))
  })

  it('is started by the unit with the same flags, and restarts warm with its signal and its pause', async () => {
    const command = setting('ExecStart')
    expect(startOptions(command, {}).args).toEqual([...startOptions(start, {}).args, '-e', MEMORY_FILE])
    const places = { [MEMORY_FILE]: join(await makeFolder(), 'sessions') }
    let server = await startAs(command, places)
    const manager = managerOf(server.address)
    const cookie = await signIn(manager)
    await server.stop(setting('KillSignal') as NodeJS.Signals)
    await run(setting('ExecStartPre'))
    server = await startAs(command, places, server.port)
    expect(await vi.waitFor(() => userOf(manager, cookie), { timeout: 2000, interval: 20 })).toBe('u1')

    expect(service).toContain('systemctl kill -s KILL')
    await server.stop('SIGKILL')
    server = await startAs(command, places, server.port)
    expect(await vi.waitFor(() => userOf(manager, cookie), { timeout: 2000, interval: 20 })).toBeUndefined()
  })

  it('is started and restarted warm by the script, too, which signals no other program', async () => {
    expect(script).toBe(readFileSync('examples/warm-restart.sh', 'utf8'))
    const flags = startOptions(start, {}).args.join(' ')
    expect(script).toContain(`-l 127.0.0.1 -p 11200 ${flags} -e "$memory" "$@"`)
    expect(script).toContain(`memory='${MEMORY_FILE}'`)
    const [folder, port] = [await makeFolder(), await freePort()]
    const [file, pidFile] = [join(folder, 'warm-restart.sh'), join(folder, 'sessions.pid')]
    await writeFile(file, moved(script, { [MEMORY_FILE]: join(folder, 'sessions'), '11200': String(port) }))
    const asRoot = process.getuid?.() === 0 ? ' -u root' : ''
    const restart = () => run(`sh "$FILE"${asRoot}`, { env: { FILE: file } })
    /** Of the memcached that listens already, and writes it a moment later. */
    const pidAfter = (last: unknown) =>
      vi.waitFor(async () => {
        const pid = Number(await readFile(pidFile, 'utf8'))
        expect([0, last]).not.toContain(pid) // 0: half written
        return pid
      }, 5000)

    const another = spawn('sleep', ['60'])
    onEnd(() => another.kill())
    await writeFile(pidFile, String(another.pid))
    expect((await restart()).status).toBe(0)
    let pid = await pidAfter(another.pid)
    onEnd(() => void process.kill(pid))
    expect(another.signalCode).toBeNull()

    const manager = managerOf(`memcached://127.0.0.1:${port}`)
    const cookie = await vi.waitFor(() => signIn(manager), { timeout: 2000, interval: 20 })
    expect((await restart()).status).toBe(0)
    pid = await pidAfter(pid)
    expect(await vi.waitFor(() => userOf(manager, cookie), { timeout: 2000, interval: 20 })).toBe('u1')
  })

  it('with -e cannot be given more memory, and takes 39 MiB for its slab classes', async () => {
    const file = join(await makeFolder(), 'sessions')
    const server = await memcached('-m', '64', '-e', file)
    expect(await server.text('cache_memlimit 128')).toContain('MEMLIMIT_ADJUST_FAILED')
    const value = 'x'.repeat(404)
    const keys = Array.from({ length: 50_000 }, (_, index) => `session:${String(index).padStart(43, 'k')}`)
    await server.text(keys.map((key) => `set ${key} 0 600 404 noreply\r\n${value}`).join('\r\n'))
    const [, held] = /STAT curr_items (\d+)/.exec(await server.text('stats'))!
    const room = (Number(held) * 600) / 2 ** 20
    expect(Math.abs(room - (64 - 39))).toBeLessThan(1.5)
  })

  it('holds as much as the example says', async () => {
    const { key, record, item, chunk } = await measureSize(260, 100, 1.25)
    const [, ...rows] = guide.split('## How large')[1]!.matchAll(/^\| .+ \| ([\d.]+) (?:bytes|MiB) \|$/gm)
    const figures = [key, ...rows.map(([, figure]) => Number(figure))]
    const needed = (100_000 * chunk) / 2 ** 20
    const mebibytes = [needed, needed / 0.7, needed / 0.7 + 39].map((figure) => Number(figure.toFixed(1)))
    expect(figures).toEqual([key, record, item - key - record, item, chunk, ...mebibytes])
    const capacity = (memory: number) => `${Math.floor((memory * 2 ** 20) / chunk / 1000)} 000`
    expect(guide).toContain(
      `\`-m 256\` holds ${capacity(256)} such sessions before it evicts one, with \`-e\` ${capacity(256 - 39)}`,
    )
  })

  it('shows its evictions', async () => {
    const server = await memcached('-m', '2')
    const command = evictions.replace('11200', String(server.port))
    expect((await run(command)).stdout).toMatch(/^ *evictions +0$/m)
    await fill(server)
    expect((await run(command)).stdout).toMatch(/^ *evictions +[1-9]/m)
  })
})

describe('The doctor of the guide', () => {
  it('says of an object cache what the guide shows, and a deployment stops', async () => {
    const server = await startAs(/started with `(memcached [^`]+)`/.exec(guide)![1]!)
    await server.text('incr hits 1\r\nflush_all')
    const address = `memcached://127.0.0.1:${server.port}`
    const [examined, deployed] = await Promise.all([
      run(`npx holdfast doctor ${address}`),
      run(deployment, { env: { SESSION_STORE: address } }),
    ])
    expect(examined.status).toBe(2)
    expect(withoutFigures(examined.stdout)).toBe(withoutFigures(unfitReport))
    expect(deployed.status).not.toBe(0)
  })

  it('lets a deployment go on with warnings', async () => {
    const server = await memcached()
    await server.text('flush_all')
    const { status, stdout } = await run(deployment, { env: { SESSION_STORE: server.address } })
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^warning .+flushed/)])
  })

  it('lets no deployment go on that it did not examine', async () => {
    const { status } = await run(deployment, { env: { SESSION_STORE: '', CLI: `${CLI}-is-not-there` } })
    expect(status).toBe(1)
    expect((await run(deployment, { env: { SESSION_STORE: '' } })).status).toBe(2)
  })
})

describe('Several servers', () => {
  it('I1: know their sessions in any order of the list, and not under another name', async () => {
    const servers = [await memcached(), await memcached()].map(({ port }) => `127.0.0.1:${port}`)
    const cookies = await signInMany(managerOf({ servers }))
    const known = async (manager: SessionManager) =>
      (await Promise.all(cookies.map((cookie) => userOf(manager, cookie)))).filter(Boolean).length
    expect(await known(managerOf({ servers: servers.toReversed() }))).toBe(cookies.length)
    const renamed = servers.map((name, index) => (index ? name : name.replace('127.0.0.1', 'localhost')))
    expect(await known(managerOf({ servers: renamed }))).toBeLessThan(cookies.length)
  })

  it('I2: bring old sessions back when a change is taken back, unless they were restarted cold', async () => {
    const [first, second] = [await memcached(), await memcached()]
    const before = managerOf(first.address)
    const after = managerOf({ servers: [first, second].map(({ port }) => `127.0.0.1:${port}`) })
    const cookies = await signInMany(before)
    const users = await Promise.all(cookies.map((cookie) => userOf(after, cookie)))
    const moved = cookies[users.indexOf(undefined)]!
    await visitOk(after, moved, (session) => session.destroy())
    expect(await userOf(before, moved)).toBe('u1')
    await first.stop()
    await startAs(`memcached -l 127.0.0.1 -p 11200`, {}, first.port)
    await vi.waitFor(() => userOf(before, moved), { timeout: 2000, interval: 20 })
    expect(await userOf(before, moved)).toBeUndefined()
  })

  it('I2: cannot sign in whose server is down, until it is taken out of the list', async () => {
    const [first, second] = [await memcached(), await memcached()]
    const both = managerOf({ servers: [first, second].map(({ port }) => `127.0.0.1:${port}`) })
    const cookies = await signInMany(both)
    await second.stop()
    const readings = await Promise.all(
      cookies.map((cookie) => userOf(both, cookie).catch(() => 'unavailable')),
    )
    const onDead = cookies[readings.indexOf('unavailable')]!
    const signInAgain = (manager: SessionManager) =>
      visit(manager, onDead, (session) => {
        session.signIn('u1')
        session.set('user', 'u1')
      })
    const refused = await signInAgain(both)
    expect([refused.error, refused.setCookie]).toEqual([expect.any(StoreUnavailableError), undefined])
    const shortened = managerOf(first.address)
    const { error, cookie } = await signInAgain(shortened)
    expect([error, await userOf(shortened, cookie)]).toEqual([undefined, 'u1'])
  })

  const signInMany = (manager: SessionManager) =>
    Promise.all(Array.from({ length: 30 }, () => signIn(manager)))
})

describe('Between hosts', () => {
  it('the certificates, the users and the program of the guide fit together', async () => {
    const folder = await makeFolder()
    const places = { 'sessions-1.internal': 'localhost', '10.0.0.1': '127.0.0.1' }
    const here = (command: string) =>
      run(moved(command, { ...places, [FOLDER]: '$FOLDER' }), { cwd: folder, env: { FOLDER: folder } })
    expect((await here(certificates)).status).toBe(0)
    expect((await here(users)).status).toBe(0)
    const password = (await readFile(join(folder, 'password'), 'utf8')).trim()
    const server = await startAs(secured, { ...places, [FOLDER]: folder })

    vi.stubEnv('SESSION_SERVERS', `localhost:${server.port}`)
    vi.stubEnv('SESSION_PASSWORD', password)
    vi.stubEnv('SESSION_AUTHORITY', join(folder, 'authority.pem'))
    vi.stubEnv('SESSION_SECRET', secret)
    onEnd(() => vi.unstubAllEnvs())
    const program = await import('./between-hosts.ts')
    const manager = program.manager as unknown as SessionManager
    onEnd(() => manager.close())
    // A busy machine may take more than a deadline for the first handshake.
    const cookie = await vi.waitFor(() => signIn(manager), { timeout: 3000, interval: 20 })
    expect(await userOf(manager, cookie)).toBe('u1')

    const address = `memcacheds://sessions:${password}@localhost:${server.port}`
    const env = { NODE_EXTRA_CA_CERTS: join(folder, 'authority.pem') }
    const examined = await run(`npx holdfast doctor ${address}`, { env })
    expect([examined.status, examined.stdout]).toEqual([0, expect.stringMatching(/ok .+listens with TLS/)])

    vi.stubEnv('NODE_ENV', 'production')
    const watch = watchConsole()
    onEnd(() => watch.stop())
    await server.stop()
    const { error } = await visit(manager, undefined, (session) => session.set('user', 'u1'))
    expect(error).toBeInstanceOf(StoreUnavailableError)
    const written = watch.stop()
    const [, cause] = /^holdfast: the session store did not answer \(add\): (.+?);/m.exec(written)!
    expectInGuide(cause!)
    expect(written).not.toContain(password)
  })
})

describe('What the guide promises when memcached', () => {
  /** Hono on a memcached, and what its store complained of. */
  async function open(options: string | MemcachedStoreOptions) {
    const causes = new Set<string>()
    const manager = createSessionManager({
      store: new MemcachedStore(options),
      secret,
      onEvent({ type, error }) {
        if (type === 'store-error') causes.add(((error as Error).cause as Error).message)
        if (type === 'server-down') causes.add((error as Error).message)
      },
    })
    const app = await adapters[0]!.start(manager, {
      '/plain': () => ({ body: 'plain' }),
      '/sign-in': (session, { query }) => {
        session.signIn('u1')
        session.set('user', 'x'.repeat(Number(query.get('size') ?? 2)))
        return {}
      },
      '/sign-out': (session) => {
        session.destroy()
        return {}
      },
      '/read': async (session) => ({ body: String((await session.get('user')) ?? 'empty').slice(0, 5) }),
    })
    onEnd(async () => {
      await app.close()
      await manager.close()
    })
    const get = async (path: string, cookie = '') => {
      const startedAt = performance.now()
      const response = await fetch(app.url + path, { headers: { cookie } })
      const text = await response.text()
      const { status, headers } = response
      const milliseconds = performance.now() - startedAt
      const setCookie = headers.getSetCookie()[0]
      const promised = [headers.get('retry-after'), headers.get('cache-control'), setCookie]
      if (status === 503) expect(promised).toEqual(['1', 'no-store', undefined])
      return { status, text, setCookie, cookie: setCookie?.split(';')[0] ?? '', milliseconds }
    }
    return {
      get,
      causes,
      /** Why the store refuses what is told to nobody. */
      async refusal(): Promise<string> {
        const error: unknown = await manager
          .open(unknown)
          .exists()
          .catch((reason: unknown) => reason)
        return ((error as Error).cause as Error).message
      },
      async expectStatuses(paths: Record<string, number>, cookie: string): Promise<void> {
        for (const [path, status] of Object.entries({ '/plain': 200, ...paths })) {
          expect([path, (await get(path, cookie)).status]).toEqual([path, status])
        }
      },
    }
  }
  const unknown = `__Host-session=${'A'.repeat(43)}`
  const allUnavailable = { '/read': 503, '/sign-in': 503, '/sign-out': 503 }

  it('M6: is full, with -M: reads go on, writes do not, the old record stays', async () => {
    const server = await memcached('-m', '2', '-M')
    const { get, causes, expectStatuses } = await open(server.address)
    const { cookie } = await get('/sign-in')
    await fill(server)
    await expectStatuses({ '/sign-in': 503, '/sign-out': 503, '/read': 200 }, cookie)
    expect((await get('/read', cookie)).text).toBe('xx')
    expectInGuide(...causes)
  })

  it('is full, and evicts: the visitor is unknown, and a write begins a new session', async () => {
    const server = await memcached('-m', '2')
    const { get } = await open(server.address)
    const { cookie } = await get('/sign-in')
    await fill(server)
    expect(await get('/read', cookie)).toMatchObject({ status: 200, text: 'empty', setCookie: undefined })
    const again = await get('/sign-in', cookie)
    expect(again.status).toBe(200)
    expect((await get('/read', again.cookie)).text).toBe('xx')
  })

  it('E8: evicts between load and commit: nothing is written, and save() says so', async () => {
    const server = await memcached()
    const manager = managerOf(server.address)
    const session = manager.open(await signIn(manager))
    await session.get('user')
    await server.text('flush_all')
    session.set('user', 'u2')
    await expect(session.save()).rejects.toMatchObject({ code: 'ERR_SESSION_ENDED' })
    expect(await server.text('stats')).toContain('STAT curr_items 0\r\n')
  })

  it('was flushed: everybody is unknown, without an error', async () => {
    const server = await memcached()
    const { get, expectStatuses } = await open(server.address)
    const { cookie } = await get('/sign-in')
    await server.text('flush_all')
    expect(await get('/read', cookie)).toMatchObject({ status: 200, text: 'empty', setCookie: undefined })
    await expectStatuses({ '/sign-out': 200, '/sign-in': 200 }, cookie)
  })

  it('M6: has an -I below maxBytes: larger records are refused, and the old one stays', async () => {
    const server = await memcached('-I', '512k')
    const { get, causes, expectStatuses } = await open(server.address)
    const { cookie } = await get('/sign-in')
    await expectStatuses({ '/sign-in?size=600000': 503, '/sign-in?size=1000000': 500, '/read': 200 }, cookie)
    expect((await get('/read', cookie)).text).toBe('xx')
    expectInGuide(...causes)
  })

  it('M13: was started with -C: nobody can sign in', async () => {
    const { causes, expectStatuses } = await open((await memcached('-C')).address)
    await expectStatuses({ '/read': 200, '/sign-in': 503 }, unknown)
    expectInGuide(...causes)
  })

  it('F1: wants a password, refuses it, or takes none: 503 at once, and why', async () => {
    const users = await makeUsers()
    onEnd(() => users.remove())
    await users.setPassword('sessions', 'right')
    const server = await startMemcached(users.startOptions)
    onEnd(() => server.stop())
    const plain = await memcached()
    for (const options of [
      server.address,
      `memcached://sessions:wrong@127.0.0.1:${server.port}`,
      `memcached://sessions:right@127.0.0.1:${plain.port}`,
    ]) {
      const { causes, refusal, expectStatuses } = await open(options)
      await expectStatuses(allUnavailable, unknown)
      expect(causes.size).toBe(1)
      expect(await refusal()).toContain('is not asked: ')
      expectInGuide(...causes, await refusal())
    }
  })

  it('F1: shows a certificate that is not accepted, or refuses connections: 503, and why', async () => {
    const [authority, stranger] = [await makeAuthority(), await makeAuthority()]
    onEnd(() => Promise.all([authority.remove(), stranger.remove()]))
    const { certFile, keyFile } = await stranger.sign(['127.0.0.1'])
    const server = await memcached('-Z', '-o', `ssl_chain_cert=${certFile},ssl_key=${keyFile}`)
    const tls = { ca: authority.cert }
    const suspicious = await open({ servers: `127.0.0.1:${server.port}`, tls })
    await suspicious.expectStatuses(allUnavailable, unknown)
    await server.stop()
    const refused = await open(server.address)
    await refused.expectStatuses(allUnavailable, unknown)
    for (const { causes } of [suspicious, refused]) expectInGuide(...causes)
  })

  it('F2: is slow: as usual up to 250 ms an operation, 503 beyond', async () => {
    const slow = await proxy(await memcached())
    const { get, causes } = await open(slow.address)
    const { cookie } = await get('/sign-in')
    slow.fault = { type: 'latency', ms: 120 }
    expect(await get('/read', cookie)).toMatchObject({ status: 200, text: 'xx' })
    slow.fault = { type: 'latency', ms: 400 }
    const late = await get('/read', cookie)
    expect(late.status).toBe(503)
    expect(late.milliseconds).toBeGreaterThan(240)
    expectInGuide(...causes)
  })

  it('F1: takes a sign-out and is frozen before it answers: 503, the cookie stays, the session has ended', async () => {
    const network = await proxy(await memcached())
    const manager = managerOf(network.address)
    const cookie = await signIn(manager)
    const { error, setCookie } = await visit(manager, cookie, async (session) => {
      await session.get('user')
      session.destroy()
      network.fault = { type: 'stall' }
    })
    expect([error, setCookie]).toEqual([expect.any(StoreUnavailableError), undefined])
    network.fault = { type: 'none' }
    expect(await userOf(manager, cookie)).toBeUndefined()
  })

  it('F4: has maxInFlight operations waiting: what is more gets 503 at once, the others as usual', async () => {
    const slow = await proxy(await memcached())
    const { get, causes } = await open({ servers: `127.0.0.1:${slow.port}`, maxInFlight: 2 })
    const { cookie } = await get('/sign-in')
    slow.fault = { type: 'latency', ms: 100 }
    const answers = await Promise.all(Array.from({ length: 6 }, () => get('/read', cookie)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 503]))
    expect((await get('/read', cookie)).status).toBe(200)
    expectInGuide(...[...causes].map((cause) => cause.replace(': 2 ', ': 4096 ')))
  })
})

/** Until every slab class that a small session could be in has been full for long. */
async function fill(server: Memcached): Promise<void> {
  for (const chunk of [152, 192, 240, 304, 384, 480]) {
    const value = 'x'.repeat(chunk - 115)
    const keys = Array.from(
      { length: 14_000 },
      (_, index) => `session:${chunk}${String(index).padStart(40, 'k')}`,
    )
    const sets = keys.map((key) => `set ${key} 0 600 ${value.length} noreply\r\n${value}`)
    await server.text(sets.join('\r\n'))
  }
}

/** What a store rejects with must stand in the guide's table of errors, where … stands for anything. */
function expectInGuide(...causes: string[]): void {
  const [, section] = guide.split('### What errors look like')
  const messages = [...section!.matchAll(/^\| (`.+?`) \|/gm)].flatMap(([, cell]) => cell!.match(/[^`]{3,}/g)!)
  const patterns = messages.map((message) => message.replaceAll(/[.:()]/g, '\\$&').replaceAll('…', '.*'))
  expect(causes.length).toBeGreaterThan(0)
  for (const cause of causes) expect(cause).toMatch(new RegExp(`^(${patterns.join('|')})$`))
}

/** Ports, times and sizes differ from run to run. */
function withoutFigures(text: string): string {
  return text
    .replaceAll(/\d[\d.:-]*/g, '#')
    .replaceAll(/(second|minute)s?\b/g, '$1')
    .trim()
}
