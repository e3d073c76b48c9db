import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority } from '../support/certificates.ts'
import { freePort } from '../support/free-port.ts'
import { startMemcached, type Memcached, type StartOptions } from '../support/memcached.ts'
import { startRedis } from '../support/redis.ts'
import { makeUsers } from '../support/sasl.ts'
import { useServers } from '../support/servers.ts'

const { onEnd, memcached } = useServers()

interface Outcome {
  status: unknown
  stdout: string
  stderr: string
}

/** The command is built once: started from its source, half a second of each start would go into compiling it. */
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-cli-'))
  const dist = join(folder, 'dist')
  await promisify(execFile)('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json', '--outDir', dist])
  await cp('package.json', join(folder, 'package.json'))
  await symlink(resolve('node_modules'), join(folder, 'node_modules'))
}, 60_000)
afterAll(() => rm(folder, { recursive: true }))

function holdfast(
  args: readonly string[],
  env: Record<string, string> = {},
  cwd: string = process.cwd(),
): Promise<Outcome> {
  const options = { env: { ...process.env, NODE_OPTIONS: '', ...env }, timeout: 14_000, cwd }
  const command = join(folder, 'dist/doctor/cli.js')
  return new Promise((done) => {
    execFile(process.execPath, [command, ...args], options, (error, stdout, stderr) => {
      done({ status: error ? (error.code ?? error.signal) : 0, stdout, stderr })
    })
  })
}

async function start(options: StartOptions): Promise<Memcached> {
  const server = await startMemcached(options)
  // Killed, faketime would leave its shared memory behind.
  onEnd(() => server.stop('SIGTERM'))
  return server
}

/** Sessions as the store would name them, written in one go. */
function fillUp(server: Memcached, count: number, bytes: number): Promise<string> {
  const value = 'x'.repeat(bytes)
  const keys = Array.from({ length: count }, (_, index) => `session:${String(index).padStart(43, 'k')}`)
  return server.text(keys.map((key) => `set ${key} 0 600 ${bytes}\r\n${value}`).join('\r\n'))
}

/** How each instance is made, the line that must come first, and the exit status with --strict. */
const instances: [string, () => Promise<Memcached>, RegExp, 0 | 2 | 3][] = [
  [
    'fit',
    () => memcached(),
    /^ok +127\.0\.0\.1:\d+ +was started cold 20.+ UTC, \d+ seconds? ago; what was signed in before is gone/,
    0,
  ],
  [
    'evicting',
    async () => {
      const server = await memcached('-m', '2')
      await fillUp(server, 60, 100_000)
      return server
    },
    /^warning .+ was full and evicted records \([1-9]\d*, of them never read [1-9]\d*\).+-m/,
    3,
  ],
  [
    'flushed',
    async () => {
      const server = await memcached()
      await server.text('flush_all')
      return server
    },
    /^warning .+ was flushed once .+object cache/,
    3,
  ],
  [
    'shared',
    async () => {
      const server = await memcached()
      await server.text('set page:1 0 0 5\r\nhello\r\nincr hits 1')
      return server
    },
    /^warning .+ is shared: keys not under 'session:' \(1 of 1\), counters not by Holdfast \(1\)/,
    3,
  ],
  ['of small items', () => memcached('-I', '512k'), /^warning .+ 524178 bytes at most \(-I\).+ 1000000/, 3],
  ['without versions', () => memcached('-C'), /^unfit .+ keeps no versions \(-C\).+ Start it without -C/, 2],
  ['without evictions', () => memcached('-M'), /^warning .+ evicts nothing \(-M\).+"out of memory"/, 3],
  [
    'with a wrong clock',
    () => start({ env: { LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1', FAKETIME: '-1h' } }),
    /^warning .+ has a clock 3\d\d\d seconds behind .+ too late/,
    3,
  ],
  [
    'that was stopped',
    async () => {
      const server = await memcached()
      await server.stop()
      return server
    },
    /^unfit .+ refuses connections/,
    2,
  ],
  [
    'that is frozen',
    async () => {
      const server = await memcached()
      await server.freeze()
      return server
    },
    /^unfit .+ takes connections and answers nothing.+ frozen/,
    2,
  ],
  ['that listens on UDP', () => memcached('-U', '-1'), /^warning .+ listens on UDP.+ -U 0/, 3],
  [
    'that listens everywhere',
    () => start({ host: '0.0.0.0' }),
    /^warning .+ listens on 0\.0\.0\.0 without TLS/,
    3,
  ],
]

describe('holdfast doctor', () => {
  it.each(instances)(
    'names the cause first and with --strict ends with the status of an instance %s',
    async (_, make, firstLine, status) => {
      const { port } = await make()
      const outcome = await holdfast(['doctor', `memcached://127.0.0.1:${port}`, '--strict'])
      const lines = outcome.stdout.trimEnd().split('\n')
      expect(outcome).toMatchObject({ status, stderr: '' })
      expect(lines[0]).toMatch(firstLine)
      const [worst, verdict] = {
        0: ['ok', /^fit to hold sessions$/] as const,
        2: ['unfit', /^UNFIT /] as const,
        3: ['warning', /^fit .+, with warnings$/] as const,
      }[status]!
      expect(lines.at(-1)).toMatch(verdict)
      expect(lines[0]!.startsWith(worst)).toBe(true)
      if (status === 0) expect(outcome.stdout).not.toMatch(/^(warning|unfit|skipped)/m)
    },
  )

  it('--json prints one document, and warnings end with 0', async () => {
    const server = await memcached()
    await server.text('flush_all')
    const { status, stdout, stderr } = await holdfast(['doctor', '--json', server.address])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const report = JSON.parse(stdout)
    expect(report.level).toBe('warning')
    expect(report.findings[0]).toEqual({
      server: `127.0.0.1:${server.port}`,
      level: 'warning',
      topic: 'flushes',
      message: expect.stringContaining('was flushed once'),
      advice: expect.stringContaining('-F'),
    })
    for (const finding of report.findings.slice(1)) {
      const { server, level, topic, message } = finding
      expect(finding).toEqual({ server, level: 'ok', topic, message })
      expect(level && topic && message).toBeTruthy()
    }
  })

  it('names the cause of a name with several addresses', async () => {
    const server = await memcached()
    await server.stop()
    const addresses = [
      { address: '127.0.0.1', family: 4 },
      { address: '127.0.0.2', family: 4 },
    ]
    // The machine's own names have one address each.
    const dns = `import dns from 'node:dns'; dns.lookup = (name, options, found) => found(null, ${JSON.stringify(addresses)})`
    const { stdout } = await holdfast(['doctor', `memcached://sessions.internal:${server.port}`], {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(dns)}`,
    })
    expect(stdout).toMatch(/^unfit .+ refuses connections: nothing listens there/)
  })

  it('trusts the authorities of the runtime with memcacheds://', async () => {
    const authority = await makeAuthority()
    onEnd(() => authority.remove())
    const { certFile, keyFile } = await authority.sign(['127.0.0.1'])
    const tls = ['-Z', '-o', `ssl_chain_cert=${certFile},ssl_key=${keyFile}`]
    const { port } = await start({ host: '0.0.0.0', args: tls })
    const address = `memcacheds://127.0.0.1:${port}`
    const trusting = await holdfast(['doctor', address], { NODE_EXTRA_CA_CERTS: authority.certFile })
    expect(trusting).toMatchObject({ status: 0, stderr: '' })
    expect(trusting.stdout).toMatch(/^ok .+ listens with TLS$/m)
    expect(trusting.stdout).toMatch(/^skipped .+ with TLS it is not asked in text/)
    const plain = await holdfast(['doctor', `memcached://127.0.0.1:${port}`])
    expect(plain.status).toBe(2)
    expect(plain.stdout).toMatch(/^unfit .+ does not work: .+ If it wants TLS, write memcacheds:\/\//)
    const wary = await holdfast(['doctor', address])
    expect(wary.status).toBe(2)
    expect(wary.stdout).toMatch(/^unfit .+ the TLS handshake failed: .+ NODE_EXTRA_CA_CERTS/)
  })

  it.each([
    [[]],
    [['physician', 'memcached://127.0.0.1:1']],
    [['doctor', 'memcached://127.0.0.1:1', 'memcached://127.0.0.1:2']],
    [['doctor', 'memcached://127.0.0.1:1', '--yaml']],
    [['doctor', 'memcached://127.0.0.1:1', '--json=no']],
    [['doctor', 'memcached://127.0.0.1:1', '--strict=no']],
  ])('says how it is used to %j', async (args) => {
    expect(await holdfast(args)).toEqual({
      status: 2,
      stdout: '',
      stderr: 'usage: holdfast doctor <memcached-or-redis-url> [--json] [--strict]\n',
    })
  })

  it.each([
    'http://127.0.0.1:6379',
    'redis://127.0.0.1/a%20b',
    'memcached://127.0.0.1:99999',
    'memcached://127.0.0.1/a%20b',
  ])('says what is expected instead of %s, and what came', async (address) => {
    const { status, stdout, stderr } = await holdfast(['doctor', address])
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(/^\w+: expected .+, got .+\n$/)
  })

  it.each([
    'memcached://user:hunter2',
    'memcached://user:x/hunter2@127.0.0.1',
    'memcached://user:x@hunter2@127.0.0.1',
    'memcached://user:hunter2:y@127.0.0.1',
    'user:hunter2@127.0.0.1',
    '--user:hunter2@127.0.0.1',
    'memcached://user:1/x%20hunter2',
    'memcached://user:hunter2@127.0.0.1:1',
    'redis://user:hunter2',
    'redis://user:x/hunter2@127.0.0.1',
    'redis://user:x@hunter2@127.0.0.1:1',
    'redis://user:%hunter2@127.0.0.1:1',
    'valkeys://:hunter2@127.0.0.1:1',
  ])('S57: does not print the password of %s', async (address) => {
    const { status, stdout, stderr } = await holdfast(['doctor', address, '--json'])
    expect(status).toBe(2)
    expect(stdout + stderr).not.toBe('')
    expect(stdout + stderr).not.toContain('hunter2')
  })

  it.each<[string, (secured: Memcached) => Promise<{ port: number }>, string, number, RegExp]>([
    [
      'taken',
      async (secured) => secured,
      'hunter2',
      0,
      /^skipped .+ with a password it is not asked in text/,
    ],
    ['refused', async (secured) => secured, 'hunter23', 2, /^unfit .+ refused the username or the password/],
    ['of no use', () => memcached(), 'hunter2', 2, /^unfit .+ started without -S/],
  ])('S57: nor one that is %s', async (_, choose, password, status, firstLine) => {
    const { port } = await choose(await startSecured())
    const outcome = await holdfast(['doctor', `memcached://horatio:${password}@127.0.0.1:${port}`])
    expect(outcome).toMatchObject({ status, stderr: '' })
    expect(outcome.stdout).toMatch(firstLine)
    expect(outcome.stdout).not.toContain('hunter2')
  })

  it('asks Redis by a client of the project, and says what to install where there is none', async () => {
    const server = await startRedis('--requirepass', 'hunter2')
    onEnd(() => server.stop())
    const address = server.address.replace('//', '//:hunter2@')
    const { status, stdout, stderr } = await holdfast(['doctor', address, '--json', '--strict'])
    expect({ status, stderr }).toEqual({ status: 3, stderr: '' })
    expect(stdout).not.toContain('hunter2')
    const { level, findings } = JSON.parse(stdout)
    expect(level).toBe('warning')
    expect(findings[0]).toEqual({
      server: `127.0.0.1:${server.port}`,
      level: 'warning',
      topic: 'memory',
      message: expect.stringContaining('maxmemory 0'),
      advice: expect.stringContaining('noeviction'),
    })
    const empty = await mkdtemp(join(tmpdir(), 'holdfast-empty-'))
    onEnd(() => rm(empty, { recursive: true }))
    expect(await holdfast(['doctor', address], {}, empty)).toEqual({
      status: 2,
      stdout: '',
      stderr: `found none of ioredis, iovalkey, redis in ${empty}; run there: npm install ioredis\n`,
    })
  })

  it('S57: trusts the authorities of the runtime with rediss://', async () => {
    const authority = await makeAuthority()
    onEnd(() => authority.remove())
    const { certFile, keyFile } = await authority.sign(['127.0.0.1'])
    const files = [
      '--tls-cert-file',
      certFile,
      '--tls-key-file',
      keyFile,
      '--tls-ca-cert-file',
      authority.certFile,
    ]
    const port = String(await freePort())
    const open = ['--bind', '0.0.0.0', '--requirepass', 'hunter2', '--tls-auth-clients', 'no']
    const server = await startRedis(...open, ...files, '--tls-port', port)
    onEnd(() => server.stop())
    const address = `rediss://:hunter2@127.0.0.1:${port}`
    const trusting = await holdfast(['doctor', address], { NODE_EXTRA_CA_CERTS: authority.certFile })
    expect(trusting).toMatchObject({ status: 0, stderr: '' })
    expect(trusting.stdout).toMatch(/^warning .+ without TLS: the password can be read/m)
    expect((await holdfast(['doctor', address])).stdout).toMatch(
      /^unfit .+ does not work: .+ NODE_EXTRA_CA_CERTS/,
    )
    const plain = await holdfast(['doctor', address.replace('rediss', 'redis')])
    expect(plain.stdout).toMatch(/^unfit .+ does not work: .+ If it wants TLS, write rediss:\/\//)
  })

  it('says that a server wants a password', async () => {
    const { address } = await startSecured()
    const outcome = await holdfast(['doctor', address])
    expect(outcome.status).toBe(2)
    expect(outcome.stdout).toMatch(/^unfit .+ wants a user and a password/)
  })
})

async function startSecured(): Promise<Memcached> {
  const users = await makeUsers()
  onEnd(() => users.remove())
  await users.setPassword('horatio', 'hunter2')
  return start(users.startOptions)
}
