import { promises as dns } from 'node:dns'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { diagnose, linesOf, type Report } from '../../src/doctor/doctor.ts'
import { explainRedis } from '../../src/doctor/failure.ts'
import { ok } from '../../src/doctor/finding.ts'
import { findingsOfRedis, type RedisReading } from '../../src/doctor/findings-of-redis.ts'
import { startRedis, startRedisCluster, type RedisServerProcess } from '../support/redis.ts'
import { useServers } from '../support/servers.ts'

const { onEnd, proxy } = useServers()

/** As it should be; what a test changes of it, it changes back. */
let fit: RedisServerProcess
/** Open to the network, as it should not be. */
let open: RedisServerProcess
beforeAll(async () => {
  ;[fit, open] = await Promise.all([
    startRedis('--maxmemory', '64mb', '--appendonly', 'yes', '--repl-diskless-sync-delay', '0'),
    startRedis('--bind', '0.0.0.0', '--protected-mode', 'no', '--maxmemory', '64mb'),
  ])
})
afterAll(() => Promise.all([fit.stop(), open.stop()]))

async function start(...args: string[]): Promise<RedisServerProcess> {
  const server = await startRedis(...args)
  onEnd(() => server.stop())
  return server
}

/** Sends commands one after the other, written as in `redis-cli`; none may be refused. */
async function send(server: RedisServerProcess, ...commands: string[]): Promise<void> {
  for (const command of commands) {
    const words = [...command.matchAll(/"(.*?)"|\S+/g)].map(([word, quoted]) => quoted ?? word)
    expect(await server.text(...words)).not.toMatch(/^-/)
  }
}

/** What was found on a topic, once in a report of one server. */
function findingOn(topic: string, { findings }: Report): string {
  const found = findings.filter((finding) => finding.topic === topic)
  expect(found).toHaveLength(1)
  return `${found[0]!.level}: ${found[0]!.message}`
}

const topics = ({ findings }: Report, ...levels: string[]) =>
  findings.filter(({ level }) => levels.includes(level)).map(({ topic }) => topic)

/** Has the doctor run in the folder of a project that has this client alone. */
async function installAlone(client: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-project-'))
  await mkdir(join(folder, 'node_modules'))
  await symlink(resolve('node_modules', client), join(folder, 'node_modules', client))
  const cwd = vi.spyOn(process, 'cwd').mockReturnValue(folder)
  onEnd(async () => {
    cwd.mockRestore()
    await rm(folder, { recursive: true })
  })
}

describe('diagnose, of Redis', () => {
  it.each(['ioredis', 'iovalkey', 'redis'])(
    'finds nothing wrong with a fit server, by %s',
    async (client) => {
      await installAlone(client)
      const report = await diagnose(fit.address)
      expect(linesOf(report).at(-1)).toBe('fit to hold sessions')
      expect(topics(report, 'ok')).toEqual([
      'uptime', 'version', 'flushes', 'evictions', 'memory', 'persistence', 'role', 'operations', 'sharing', 'network',
    ]) // prettier-ignore
      expect(report.findings).toHaveLength(10)
      expect(findingOn('uptime', report)).toMatch(/^ok: was started 20.+ UTC, \d+ seconds? ago$/)
      expect(findingOn('version', report)).toMatch(/^ok: is (Redis|Valkey) \d+\.\d+\.\d+$/)
      expect(findingOn('operations', report)).toMatch(/^ok: answers in .+ compare-and-swap, delete$/)
    },
  )

  it('takes valkey:// for the same, and leaves nothing behind', async () => {
    const address = fit.address.replace('redis', 'valkey')
    expect((await diagnose(address)).level).toBe('ok')
    expect(await fit.text('DBSIZE')).toBe(':0\r\n')
  })

  describe('of what it says of itself', () => {
    it.each<[string, string[], string[], string, RegExp]>([
      ['no limit', ['CONFIG SET maxmemory 0'], ['CONFIG SET maxmemory 64mb'], 'memory',
        /^warning: uses \d+\.\d MiB without a limit \(maxmemory 0\)/],
      ['eviction', ['CONFIG SET maxmemory-policy volatile-lru'], ['CONFIG SET maxmemory-policy noeviction'], 'memory',
        /^warning: signs visitors out without a word when it is full \(volatile-lru\); uses .+ of 64\.0 MiB$/],
      ['what was evicted', ['SETEX x 9 x', 'CONFIG SET maxmemory-policy allkeys-lru', 'CONFIG SET maxmemory 1', 'CONFIG SET maxmemory 64mb'],
        ['CONFIG SET maxmemory-policy noeviction'], 'evictions', /^warning: was full and evicted records \([1-9]\d*\)/],
      ['K5, flushes', ['FLUSHDB', 'FLUSHALL'], [], 'flushes', /^warning: was flushed since its start \(2\), and everybody signed out$/],
      ['AOF always', ['CONFIG SET appendfsync always'], ['CONFIG SET appendfsync everysec'], 'persistence', /^ok: .+ before it answers/],
      ['AOF everysec', [], [], 'persistence', /^ok: .+ \(AOF, everysec\): a power cut undoes a second, sign-outs too$/],
      ['AOF no', ['CONFIG SET appendfsync no'], ['CONFIG SET appendfsync everysec'], 'persistence', /^warning: .+ undoes half a minute/],
      ['nothing written', ['CONFIG SET appendonly no'], ['CONFIG SET appendonly yes'], 'persistence', /^ok: writes nothing down: a restart signs everybody out/],
      ['snapshots', ['CONFIG SET appendonly no', 'SETEX x 9 x', 'CONFIG SET save "3600 1"'], ['CONFIG SET save ""', 'CONFIG SET appendonly yes', 'DEL x'],
        'persistence', /^warning: writes snapshots alone: a crash undoes what changed since the last \([1-9]\d* changes\), sign-outs too$/],
      ['keys of others', ['SETEX page:1 9 x'], ['DEL page:1'], 'sharing', /^warning: is shared: keys not under 'session:' \(1 of 1 looked at\)$/],
      ['keys of others in another database', ['SETEX page:1 9 x', 'SWAPDB 0 3'], ['FLUSHALL'], 'sharing', /^warning: is shared: there are keys in db3$/],
    ])('says %s', async (_, change, changeBack, topic, message) => {
      await send(fit, ...change)
      const report = await diagnose(fit.address)
      await send(fit, ...changeBack, 'CONFIG RESETSTAT')
      expect(findingOn(topic, report)).toMatch(message)
      expect(report.level).toBe(message.source.startsWith('^ok') ? 'ok' : 'warning')
    }) // prettier-ignore

    it('is of the database and the prefix of the address', async () => {
      const key = `shop:${'k'.repeat(43)}`
      await send(fit, `SETEX ${key} 9 x`, 'SWAPDB 0 3')
      const report = await diagnose(`${fit.address}/3?keyPrefix=shop:`)
      const other = await diagnose(`${fit.address}/3`)
      await send(fit, 'FLUSHALL', 'CONFIG RESETSTAT')
      expect(findingOn('sharing', report)).toBe(
        "ok: holds sessions alone: 1 keys were looked at, all under 'shop:'",
      )
      expect(findingOn('sharing', other)).toContain("not under 'session:' (1 of 1 looked at)")
    })

    it('says that it is full, and refuses writes', async () => {
      await send(fit, 'CONFIG SET maxmemory 1')
      const report = await diagnose(fit.address)
      await send(fit, 'CONFIG SET maxmemory 64mb')
      expect(findingOn('operations', report)).toBe(
        'unfit: is full and refuses writes: nobody can sign in or out',
      )
    })

    it('says that its disk fails', async () => {
      const server = await start('--enable-protected-configs', 'local')
      const [, folder] = /(\/.+)\r\n/.exec(await server.text('CONFIG', 'GET', 'dir'))!
      await mkdir(join(folder!, 'taken'))
      await send(server, 'CONFIG SET dbfilename taken', 'CONFIG SET save "3600 1"', 'BGSAVE')
      await vi.waitFor(
        async () => expect(await server.text('INFO', 'persistence')).toContain('bgsave_status:err'),
        5000,
      )
      const report = await diagnose(server.address)
      expect(findingOn('persistence', report)).toBe(
        'warning: could not write to its disk (rdb_last_bgsave_status)',
      )
      expect(findingOn('operations', report)).toMatch(/^unfit: does not work: MISCONF /)
    })

    it('tells a replica, which is unfit, from a master that has one', async () => {
      const replica = await start('--replicaof', '127.0.0.1', String(fit.port))
      await vi.waitFor(
        async () => expect(await replica.text('INFO', 'replication')).toContain('link_status:up'),
        9000,
      )
      const [ofReplica, ofMaster] = await Promise.all([diagnose(replica.address), diagnose(fit.address)])
      expect(topics(ofReplica, 'unfit')).toEqual(['role', 'operations'])
      expect(findingOn('operations', ofReplica)).toBe('unfit: is a replica and takes no writes')
      expect(findingOn('role', ofMaster)).toMatch(/^ok: is a master with replicas \(1\): a failover may undo/)
    })

    it('says what is missing of a server before 6.2', async () => {
      const server = await start('--rename-command', 'GETEX', '')
      const report = await diagnose(server.address)
      expect(findingOn('operations', report)).toMatch(/^unfit: does not work: ERR unknown command 'getex'/)
      expect(report.findings[0]!.advice).toContain('Redis 6.2 or later')
    })

    it.each([
      ['redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1', 'is Valkey 8.1.1'],
      ['redis_version:7.4.0\r\ndragonfly_version:df-v1.34.1', 'is Dragonfly df-v1.34.1'],
      ['redis_version:6.3.4', 'is Redis 6.3.4'],
    ])('names a relative for what it is: %j', (info, message) => {
      expect(sayings({ info }).find((saying) => saying.includes(': is ') && !saying.includes('master'))).toBe(
        `ok: ${message}`,
      )
    })

    it('K5: says of one that lost its sessions that it did', () => {
      const beginning = (info: string, save: string) =>
        sayings({ info: `${info}\r\nuptime_in_seconds:9`, config: new Map([['save', save]]) })[0]
      expect(beginning('aof_enabled:0', '')).toMatch(
        /^ok: was started .+ 9 seconds ago; what was signed in before is gone$/,
      )
      expect(beginning('aof_enabled:1', '')).toMatch(/ 9 seconds ago$/)
      expect(beginning('aof_enabled:0', '3600 1')).toMatch(/ 9 seconds ago$/)
    })

    it('says that it is nearly full', () => {
      const info = (used: number) => `maxmemory:100000000\r\nused_memory:${used}`
      expect(sayings({ info: info(74_000_000) }).join()).toContain(
        'ok: uses 70.6 of 95.4 MiB; when it is full it refuses writes',
      )
      expect(sayings({ info: info(75_000_000) }).join()).toContain(
        'warning: is nearly full: uses 71.5 of 95.4 MiB; when it is full',
      )
    })

    it.each(['-1', 'Infinity', '1e300', 'NaN', '9'.repeat(15), ''])('survives figures like %s', (figure) => {
      const names = ['uptime_in_seconds', 'used_memory', 'maxmemory', 'aof_enabled', 'connected_slaves']
      const info = names.map((name) => `${name}:${figure}`).join('\r\n')
      expect(sayings({ info })[0]).toMatch(/^ok: was started /)
    })
  })

  describe('of who can reach it', () => {
    it('says that it listens everywhere and wants no password', async () => {
      const report = await diagnose(open.address)
      expect(findingOn('network', report)).toMatch(
        /^warning: listens on 0\.0\.0\.0 and wants no password: .+ end every session$/,
      )
      await send(open, 'CONFIG SET protected-mode yes')
      expect(findingOn('network', await diagnose(open.address))).toMatch(
        /^ok: .+ its own host alone \(protected-mode\)$/,
      )
      await send(open, 'CONFIG SET protected-mode no', 'ACL SETUSER horatio on >hunter2 ~* &* +@all')
      const address = open.address.replace('//', '//horatio:hunter2@')
      expect(findingOn('network', await diagnose(address))).toContain('wants no password')
      await send(open, 'ACL SETUSER default off')
      expect(findingOn('network', await diagnose(address))).toMatch(
        /^warning: .+ without TLS: the password can be read/,
      )
      await installAlone('redis')
      expect(findingOn('network', await diagnose(address))).toMatch(
        /^warning: .+ without TLS: the password can be read/,
      )
    })

    it.each<[string, Record<string, string>, boolean, string]>([
      ['rediss:', { bind: '* -::*', port: '0' }, false, 'ok: wants TLS and a password'],
      [
        'rediss:',
        { bind: '* -::*', port: '6379' },
        false,
        'warning: listens on *, ::* without TLS: the password',
      ],
      ['redis:', { bind: '127.0.0.1 -::1' }, true, 'ok: listens on the loopback alone'],
      ['redis:', { bind: '' }, true, 'warning: listens on * and wants no password'],
      [
        'redis:',
        { bind: '10.0.0.5 127.0.0.1', 'protected-mode': 'yes' },
        true,
        'ok: wants no password, and takes',
      ],
      [
        'redis:',
        { bind: '10.0.0.5 127.0.0.1', 'protected-mode': 'yes' },
        false,
        'warning: listens on 10.0.0.5 without TLS',
      ],
      ['redis:', {}, true, 'warning: listens on 10.0.0.5 and wants no password'],
    ])('tells who can reach %s %j (without a password: %s)', (protocol, config, isOpen, message) => {
      const url = new URL(`${protocol}//10.0.0.5:6379`)
      const said = sayings({ url, isOpen, config: new Map(Object.entries(config)) })
      expect(said.filter((saying) => saying.startsWith(message))).toHaveLength(1)
    })

    it('says what a user may not do that sessions need, and what could not be looked at', async () => {
      const server = await start()
      const may = (commands: string) =>
        send(server, `ACL SETUSER horatio reset on >hunter2 ~session:* ${commands}`)
      const address = server.address.replace('//', '//horatio:hunter2@')
      await may('+hello +getex +set +eval +getrange +del')
      const report = await diagnose(address)
      expect(report.level).toBe('ok')
      expect(topics(report, 'ok')).toEqual(['operations'])
      expect(topics(report, 'skipped')).toEqual(['info', 'sharing', 'network'])
      await may('+hello +getex +set +getrange +del')
      expect(linesOf(await diagnose(address))[0]).toMatch(
        /^unfit .+ NOPERM .+'eval'.+ ACL SETUSER name ~prefix\* .*\+eval/,
      )
      await may('+hello +getex +set +eval +getrange +del +info +scan')
      const managed = await diagnose(address)
      expect(topics(managed, 'skipped')).toEqual(['persistence', 'network'])
      expect(topics(managed, 'unfit')).toEqual([])
    })
  })

  it('writes under the prefix of the address, once, and nowhere else', async () => {
    const server = await start()
    await send(server, `ACL SETUSER horatio on >hunter2 ~shop:${'?'.repeat(43)} +@all`)
    const address = `${server.address.replace('//', '//horatio:hunter2@')}/?keyPrefix=shop:`
    expect(findingOn('operations', await diagnose(address))).not.toMatch(/^unfit/)
  })

  it('L5: says that its name stands for several servers', async () => {
    const addresses = ['10.0.0.1', '10.0.0.2'].map((address) => ({ address, family: 4 }))
    const lookup = vi.spyOn(dns, 'lookup').mockResolvedValue(addresses as never)
    onEnd(() => lookup.mockRestore())
    const report = await diagnose(fit.address)
    expect(findingOn('name', report)).toMatch(/^warning: has a name that stands for 2 addresses/)
  })

  it('looks at every master of a cluster, and at its slots', async () => {
    const cluster = await startRedisCluster()
    onEnd(() => cluster.stop())
    const names = cluster.ports.map((port) => `127.0.0.1:${port}`)
    const [first, , third] = cluster.masters
    const report = await diagnose(third!.address)
    expect(report.level).toBe('warning')
    expect(report.findings.at(-1)).toMatchObject({ level: 'ok', server: 'all', topic: 'cluster' })
    // However slow: keys of its own were found for each.
    const answering = report.findings.filter(
      ({ topic, message }) => topic === 'operations' && /answers in/.test(message),
    )
    expect(answering.map(({ server }) => server).toSorted()).toEqual(names.toSorted())
    const tagged = await diagnose(`${third!.address}?keyPrefix={shop}:`)
    expect(topics(tagged, 'skipped')).toEqual(['operations', 'operations'])

    await send(first!, 'CLUSTER DELSLOTS 0')
    await third!.stop()
    const { level, findings } = await diagnose(first!.address)
    expect(level).toBe('unfit')
    expect(findings).toContainEqual(
      expect.objectContaining({ server: names[2], level: 'unfit', topic: 'reachable' }),
    )
    expect(findings).toContainEqual(
      expect.objectContaining({
        server: 'all',
        message: 'has a master for 16383 of 16384 slots: sessions in the others fail',
      }),
    )
  })

  describe('that cannot be asked', () => {
    it.each(['ioredis', 'iovalkey', 'redis'])('says why, by %s', async (client) => {
      await installAlone(client)
      const server = await start('--requirepass', 'hunter2')
      const why = async (address: string) => linesOf(await diagnose(address))[0]
      expect(await why(server.address)).toMatch(
        /^unfit .+ wants a user and a password\. Put them into the address/,
      )
      expect(await why(server.address.replace('//', '//:hunter3@'))).toMatch(
        /^unfit .+ refused the user or the password\./,
      )
      expect(await why('redis://127.0.0.1:1')).toMatch(
        /^unfit +127\.0\.0\.1:1 +refuses connections: nothing listens/,
      )
      expect(await why('redis://nobody.invalid')).toMatch(
        /^unfit +nobody\.invalid:6379 +has a name that nobody knows/,
      )
      expect(await why(server.address.replace('//', '//:%68unter2@'))).toMatch(/^warning/)
    })

    it('says that it is frozen', async () => {
      const server = await start()
      server.freeze()
      expect(linesOf(await diagnose(server.address))[0]).toMatch(
        /^unfit .+ takes connections and answers nothing\./,
      )
    })

    it('says that it is slower than sessions wait', async () => {
      const slow = await proxy(fit)
      slow.fault = { type: 'latency', ms: 260 }
      const report = await diagnose(slow.address.replace('memcached', 'redis'))
      expect(findingOn('operations', report)).toMatch(/^unfit: answers in [2-9]\d\d ms .+ 250 ms only$/)
    })

    it('says that it wants no TLS, and that it is no Redis', async () => {
      const tls = await diagnose(fit.address.replace('redis', 'rediss'))
      expect(linesOf(tls)[0]).toMatch(/^unfit .+ cannot be reached: .+ if it wants no TLS, write redis:\/\//)
    })

    it.each([
      [{ code: 'EHOSTUNREACH' }, /cannot be reached/, /firewalls/],
      [{ code: 'ECONNRESET', message: 'reset' }, /^does not work: reset$/, /rediss:\/\//],
      [
        { code: 'ERR_TLS_CERT_ALTNAME_INVALID', message: 'another name' },
        /^does not work: another name$/,
        /certificate/,
      ],
      [{ message: 'LOADING Redis is loading' }, /^does not work: LOADING Redis/, /log/],
      [{ message: 'something else' }, /^does not work: something else$/, /proxy/],
    ])('says what %j means', (properties, message, advice) => {
      const finding = explainRedis('reachable', Object.assign(new Error(), properties))
      expect(finding).toMatchObject({ level: 'unfit', topic: 'reachable' })
      expect(finding.message).toMatch(message)
      expect(finding.advice).toMatch(advice)
    })
  })

  it.each([
    'redis://', 'redis://user:hunter2', 'redis://user:x/hunter2@127.0.0.1', 'redis://user:1/hunter2', 'redis://127.0.0.1/a%20b',
    'redis://127.0.0.1#hunter2', 'redis://127.0.0.1?password=hunter2', 'redis://127.0.0.1:99999',
  ])('S57: says what is expected instead of %s, and does not repeat it', async (address) => {
    const error = await diagnose(address).catch((error: Error) => error)
    expect(String(error)).toMatch(/^TypeError: address: expected .+, got another text$/)
  }) // prettier-ignore
})

/** What is said of a server that tells this and is otherwise well. */
function sayings(told: Partial<RedisReading>): string[] {
  const reading = {
    url: new URL('redis://127.0.0.1'),
    keyPrefix: 'session:',
    readAt: Date.now(),
    operations: ok('operations', 'answers'),
    info: 'role:master',
    config: new Map(),
    isOpen: true,
    scan: [Buffer.from('0'), []] satisfies [Buffer, Buffer[]],
    ...told,
  }
  return findingsOfRedis(reading).map(({ level, message }) => `${level}: ${message}`)
}
