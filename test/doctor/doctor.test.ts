import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { diagnose, linesOf, type Report } from '../../src/doctor/doctor.ts'
import { explain } from '../../src/doctor/failure.ts'
import { ok, type Reading } from '../../src/doctor/finding.ts'
import { findingsAtStart } from '../../src/doctor/findings-at-start.ts'
import { findingsInUse } from '../../src/doctor/findings-in-use.ts'
import { MemcachedStore } from '../../src/core/stores/memcached/memcached-store.ts'
import { replyTo, type FakeRequest } from '../support/fake-server.ts'
import { startMemcached, type Memcached } from '../support/memcached.ts'
import { useServers } from '../support/servers.ts'

const { onEnd, memcached, fake, proxy } = useServers()

/** A session's key, as the store would name it. */
const keyOf = (index: number, prefix = 'session:') => prefix + String(index).padStart(43, 'k')

function write(server: Memcached, keys: readonly string[], bytes = 10): Promise<string> {
  const value = 'x'.repeat(bytes)
  return server.text(keys.map((key) => `set ${key} 0 600 ${bytes}\r\n${value}`).join('\r\n'))
}

const keysOf = (count: number, prefix?: string) =>
  Array.from({ length: count }, (_, index) => keyOf(index, prefix))

/** What was found on a topic, once in a report of one server. */
function findingOn(topic: string, { findings }: Report): string {
  const found = findings.filter((finding) => finding.topic === topic)
  expect(found).toHaveLength(1)
  return `${found[0]!.level}: ${found[0]!.message}`
}

describe('diagnose', () => {
  it('finds nothing wrong with a fit instance, whatever is looked at', async () => {
    const { level, findings } = await diagnose((await memcached()).address)
    expect(level).toBe('ok')
    expect(findings.map(({ level }) => level)).toEqual(Array(11).fill('ok'))
    expect(findings.map(({ topic }) => topic)).toEqual([
      'uptime', 'version', 'operations', 'flushes', 'evictions', 'memory', 'sharing', 'clock', 'item-size', 'network', 'udp',
    ]) // prettier-ignore
  })

  it('leaves nothing behind and changes nothing', async () => {
    const server = await memcached()
    await write(server, [keyOf(1)])
    const before = await server.text(`mg ${keyOf(1)} v c t`)
    await diagnose(server.address)
    expect(await server.text('stats')).toContain('STAT curr_items 1\r\n')
    expect((await server.text(`mg ${keyOf(1)} v c t`)).replace(/ t\d+/, '')).toBe(before.replace(/ t\d+/, ''))
  })

  it('leaves nothing behind where the operations fail', async () => {
    const server = await memcached('-C')
    await diagnose(server.address)
    expect(await server.text('stats')).toContain('STAT curr_items 0\r\n')
  })

  it('rejects for a wrong address', async () => {
    await expect(diagnose('http://127.0.0.1')).rejects.toThrow(TypeError)
    await expect(diagnose('127.0.0.1:0')).rejects.toThrow(RangeError)
  })

  it('I2: looks at every server, sorts by how bad it is, and says what their list demands', async () => {
    const [fit, flushed, down] = await Promise.all([memcached(), memcached(), memcached()])
    await flushed.text('flush_all')
    await down.stop()
    const list = [fit, flushed, down].map(({ port }) => `127.0.0.1:${port}`)
    const report = await diagnose(`memcached://${list.join()}`)
    expect(report.level).toBe('unfit')
    expect(report.findings.slice(0, 3)).toMatchObject([
      { level: 'unfit', server: list[2], topic: 'reachable' },
      { level: 'warning', server: list[1], topic: 'flushes' },
      { level: 'ok', server: list[0], topic: 'uptime' },
    ])
    expect(report.findings.at(-1)).toMatchObject({ level: 'ok', server: 'all', topic: 'list' })
    expect(report.findings.at(-1)!.message).toMatch(/^3 servers: .+ the same.+ restarted first$/)
  })

  describe('of the operations', () => {
    it.each([
      [40, 'warning', /^warning: is slow: answers in [4-9]\d ms/],
      [260, 'unfit', /^unfit: answers in 2\d\d ms .+ 250 ms only$/],
    ])('says that %i ms are too much', async (ms, level, message) => {
      const slow = await proxy(await memcached())
      slow.fault = { type: 'latency', ms }
      const report = await diagnose(slow.address)
      expect(report.level).toBe(level)
      expect(report.findings[0]!.topic).toBe('operations')
      expect(findingOn('operations', report)).toMatch(message)
    })

    it('says that there is no memory left for a session', async () => {
      const server = await memcached('-M', '-m', '2')
      await write(server, keysOf(4000), 512)
      const report = await diagnose(server.address)
      expect(report.level).toBe('unfit')
      expect(linesOf(report)[0]).toMatch(/^unfit .+ has no memory left for a session\..+\(-m\)/)
      expect(findingOn('memory', report)).toMatch(/^warning: refused writes for want of memory \([1-9]\d+\)/)
    })
  })

  describe('of the keys', () => {
    it('counts those that are no sessions', async () => {
      const server = await memcached()
      const foreign = ['page:1', 'session:1', keyOf(1, 'shop:'), `${keyOf(1)}k`, 'session:%', 'x'.repeat(250)]
      await write(server, [...keysOf(10), ...foreign])
      const finding = findingOn('sharing', await diagnose(server.address))
      expect(finding).toBe("warning: is shared: keys not under 'session:' (6 of 16)")
    })

    it.each(['shop%3A', "~!'()*", 'a%2Fb%25'])(
      'knows sessions by the prefix %s of the address',
      async (encoded) => {
        const server = await memcached()
        const prefix = decodeURIComponent(encoded)
        await write(server, keysOf(10, prefix))
        const report = await diagnose(`${server.address}/${encoded}`)
        expect(findingOn('sharing', report)).toBe(`ok: holds sessions alone: 10 keys under '${prefix}'`)
        expect(findingOn('sharing', await diagnose(server.address))).toContain(
          "not under 'session:' (10 of 10)",
        )
      },
    )

    it('takes traffic for foreign whose keys are gone', async () => {
      const server = await memcached()
      await server.text('incr hits 1\r\ndecr stock 1\r\nincr hits 1')
      const finding = findingOn('sharing', await diagnose(server.address))
      expect(finding).toBe('warning: is shared: counters not by Holdfast (3)')
    })

    it('takes neither what sessions do nor what is tried by hand for foreign', async () => {
      const server = await memcached()
      const store = new MemcachedStore(server.address)
      onEnd(() => store.close())
      const key = 'k'.repeat(43)
      const version = await store.add(key, Buffer.from('apples'), 100)
      await store.replace(key, Buffer.from('pears'), 100, version)
      await store.set(key, Buffer.from('plums'), 100)
      await Promise.all(Array.from({ length: 200 }, () => store.get(key, 100)))
      await Promise.all(Array.from({ length: 300 }, () => store.get(key, undefined)))
      await store.delete('l'.repeat(43))
      await server.text(`get session:${key}\r\nincr hits 1`)
      const finding = findingOn('sharing', await diagnose(server.address))
      expect(finding).toBe("ok: holds sessions alone: 1 keys under 'session:'")
    })

    it('says so when they cannot be listed', async () => {
      const server = await memcached('-X')
      await write(server, keysOf(10))
      const report = await diagnose(server.address)
      expect(report.level).toBe('ok')
      expect(findingOn('sharing', report)).toBe(
        'skipped: holds 10 items; whose they are cannot be seen: memcached refused: ERROR metadump not allowed',
      )
    })

    it('looks at some of many', async () => {
      const server = await memcached()
      await write(server, keysOf(60_000))
      const finding = findingOn('sharing', await diagnose(server.address))
      const [, items, looked] =
        /^ok: holds (\d+) items; the first (\d+) are all sessions under 'session:'$/.exec(finding) ?? []
      expect(Number(items)).toBe(60_000)
      expect(Number(looked)).toBeGreaterThan(1000)
      expect(Number(looked)).toBeLessThan(60_000)
    })
  })

  describe('of what happened', () => {
    it('counts flushes, but not those that were refused', async () => {
      const [open, closed] = await Promise.all([memcached(), memcached('-F')])
      for (const server of [open, closed]) await server.text('flush_all\r\nflush_all')
      expect(findingOn('flushes', await diagnose(open.address))).toMatch(/^warning: was flushed 2 times/)
      expect(findingOn('flushes', await diagnose(closed.address))).toBe(
        'ok: refused to be flushed 2 times since its start (-F)',
      )
    })

    it('says that memory runs out before it does', async () => {
      const server = await memcached('-m', '2')
      await write(server, keysOf(17), 100_000)
      const report = await diagnose(server.address)
      expect(findingOn('evictions', report)).toBe('ok: evicted nothing since its start')
      expect(findingOn('memory', report)).toBe('warning: is nearly full: uses 1.6 of 2.0 MiB')
      expect(report.findings[0]!.topic).toBe('memory')
    })

    it.each([
      ['+1m', /^warning: has a clock (59|60|61) seconds ahead .+ too early$/],
      ['-1m', /^warning: has a clock (59|60|61) seconds behind .+ too late$/],
      ['+2s', /^ok/],
    ])('minds a clock that goes %s', async (offset, message) => {
      const env = { LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1', FAKETIME: offset }
      const server = await startMemcached({ env })
      // Killed, faketime would leave its shared memory behind.
      onEnd(() => server.stop('SIGTERM'))
      expect(findingOn('clock', await diagnose(server.address))).toMatch(message)
    })

    it.each([
      [1, '1 second'],
      [119, '119 seconds'],
      [120, '2 minutes'],
      [7_199, '119 minutes'],
      [7_200, '2 hours'],
      [864_000, '10 days'],
    ])('K5: says when it was started cold: %i seconds ago', (uptime, ago) => {
      const readAt = Date.UTC(2026, 10, 24, 12)
      const since = new Date(readAt - uptime * 1000).toISOString().slice(0, 19).replace('T', ' ')
      expect(sayingOf({ uptime: `${uptime}` }, { readAt })[0]).toBe(
        `ok: was started cold ${since} UTC, ${ago} ago; what was signed in before is gone`,
      )
    })

    it('K5: tells a start that kept what was signed in from one that was to, and began empty', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'holdfast-doctor-'))
      onEnd(() => rm(folder, { recursive: true }))
      const args = (megabytes: number) => ['-m', `${megabytes}`, '-e', join(folder, 'sessions')]
      let server = await memcached(...args(64))
      const uptime = async () => findingOn('uptime', await diagnose(server.address))
      expect(await uptime()).toMatch(/^warning: began empty 20.+ UTC, \d+ seconds? ago, .+\(-e\).+ is gone$/)
      await write(server, keysOf(3))
      await server.text('flush_all 600')
      // What is written since is no sign of what was there before.
      expect(await uptime()).toMatch(/^warning: began empty/)

      await server.stop('SIGUSR1')
      // Started again within the second in which it stopped, memcached begins empty.
      await sleep(1100)
      server = await memcached(...args(64))
      expect(await uptime()).toMatch(/^ok: was started 20.+ ago, and restarted warm since; .+ stayed$/)
      const store = new MemcachedStore(server.address)
      onEnd(() => store.close())
      const key = String(0).padStart(43, 'k')
      const { version } = (await store.get(key, 100))!
      await store.replace(key, Buffer.from('apples'), 100, version)
      for (let times = 0; times < 5; times++) await store.replace(key, Buffer.from('pears'), 100, version)
      await store.delete(key)
      for (let times = 0; times < 5; times++) await store.replace(key, Buffer.from('pears'), 100, version)
      const report = await diagnose(server.address)
      expect(report.level).toBe('ok')
      expect(findingOn('uptime', report)).toMatch(/^ok: .+ restarted warm/)
      expect(findingOn('flushes', report)).toBe('ok: was never flushed since its last restart')
      expect(findingOn('evictions', report)).toBe('ok: evicted nothing since its last restart')

      await server.stop('SIGUSR1')
      server = await memcached(...args(65))
      expect(await uptime()).toMatch(/^warning: began empty/)
    })

    it.each([
      ['1.6.9', true],
      ['1.6.44', true],
      ['1.6.45', false],
      ['1.6.100', false],
      ['1.10.0', false],
    ])('S68: names its version, and below 1.6.45 what was mended since: %s', (version, isOld) => {
      const found = findingsInUse(readingOf({ version })).find(({ topic }) => topic === 'version')!
      const since =
        '; bugs of its binary protocol were mended up to 1.6.45, by distributions in old versions, too'
      expect(found).toEqual({
        level: 'ok',
        topic: 'version',
        message: `is memcached ${version}${isOld ? since : ''}`,
      })
    })
  })

  describe('of how it was started', () => {
    it.each([
      ['NULL', 'no', 'warning: listens on every address without TLS'],
      ['127.0.0.1,10.0.0.5', 'no', 'warning: listens on 10.0.0.5 without TLS'],
      ['::', 'no', 'warning: listens on :: without TLS'],
      ['127.0.0.1:11200,localhost,[::1]:11200,::1', 'no', 'ok: listens on the loopback alone'],
      ['10.0.0.5', 'yes', 'ok: listens with TLS'],
      ['10.0.0.5,notls:127.0.0.1', 'yes', 'ok: listens with TLS'],
      ['10.0.0.5,notls:10.0.0.6:11200', 'yes', 'warning: listens on notls:10.0.0.6:11200 without TLS'],
    ])('tells who can reach a listener on %s (TLS: %s)', (inter, ssl_enabled, message) => {
      const settings = new Map(Object.entries({ inter, ssl_enabled }))
      expect(sayingOf({}, { settings }).find((line) => line.includes('listens'))).toContain(message)
    })

    it('allows for key and overhead in the item size', async () => {
      const largest = async (prefix: string) => {
        const server = await memcached('-I', '512k')
        const message = findingOn('item-size', await diagnose(`${server.address}/${prefix}`))
        const bytes = Number(/sessions of (\d+) bytes at most/.exec(message)?.[1])
        const store = new MemcachedStore(`${server.address}/${prefix}`)
        onEnd(() => store.close())
        expect(await store.add('k'.repeat(43), new Uint8Array(bytes), 100)).toBeDefined()
        await expect(store.add('l'.repeat(43), new Uint8Array(bytes + 1), 100)).rejects.toThrow()
      }
      await largest('session:')
      await largest('p'.repeat(207))
    })
  })

  describe('of a server that cannot be asked', () => {
    it('says that it does not speak the binary protocol', async () => {
      const report = await diagnose((await memcached('-B', 'ascii')).address)
      expect(linesOf(report)[0]).toMatch(/^unfit .+ answers nothing\..+\(-B ascii/)
    })

    it('tells one that does not answer the sign-in from one behind a firewall', async () => {
      const { port } = await memcached('-B', 'ascii')
      const report = await diagnose(`memcached://horatio:hunter2@127.0.0.1:${port}`)
      expect(linesOf(report)[0]).toMatch(
        /^unfit .+ does not answer the sign-in\. Look at .+\(-B ascii, -Y\)\.$/,
      )
    })

    it('tells one that does not answer the TLS handshake from one behind a firewall', async () => {
      const { port } = await fake(() => {})
      const report = await diagnose(`memcacheds://127.0.0.1:${port}`)
      expect(linesOf(report)[0]).toMatch(/^unfit .+ does not answer the TLS handshake\. .+ memcached:\/\/;/)
    })

    it.each([
      [{ code: 'ENOTFOUND' }, /a name that nobody knows/, /DNS/],
      [{ code: 'EAI_AGAIN' }, /a name that nobody knows/, /DNS/],
      [{ code: 'EHOSTUNREACH' }, /cannot be reached/, /firewalls/],
      [{ code: 'ERR_CONNECT_TIMEOUT' }, /cannot be reached/, /firewalls/],
      [{ code: 'ERR_CONNECT_FAILED', message: 'closed' }, /^does not work: closed$/, /memcacheds:\/\//],
      [{ code: 'ECONNRESET', message: 'reset' }, /^does not work: reset$/, /memcacheds:\/\//],
      [{ message: 'something else' }, /^does not work: something else$/, /proxy/],
      [{ message: 'no connection in time, ECONNREFUSED, out of memory' }, /^does not work: no conn/, /proxy/],
    ])('explains %j', (properties, message, advice) => {
      const finding = explain('reachable', Object.assign(new Error(), properties))
      expect(finding).toMatchObject({ level: 'unfit', topic: 'reachable' })
      expect(finding.message).toMatch(message)
      expect(finding.advice).toMatch(advice)
    })

    it('says what it could not look at where a server tells nothing of itself', () => {
      expect(sayingOf({}, { settings: new Map() })).toEqual([
        expect.stringMatching(/^ok: answers/),
        expect.stringMatching(/^skipped: does not tell how it is doing/),
        expect.stringMatching(/^skipped: does not tell its settings/),
      ])
    })
  })

  it('lets no server talk to the terminal', async () => {
    const version = '1.6\u001B]0;gotcha\u0007\r\n\u009B2Jok  it is fit'
    const server = await fake((request) => answerStats(request, { version }))
    const lines = linesOf(await diagnose(server.address))
    expect(lines.join('')).not.toMatch(/\p{Cc}/u)
    expect(lines.filter((line) => line.includes('gotcha'))).toHaveLength(1)
  })

  it.each(['-1', 'Infinity', '1e300', 'NaN', '9'.repeat(15), ''])('survives figures like %s', (figure) => {
    const stats = { uptime: figure, time: figure, bytes: figure, curr_items: figure }
    const settings = new Map(Object.entries({ item_size_max: figure, udpport: figure }))
    const [uptime, version] = sayingOf(stats, { settings })
    expect(uptime).toMatch(/^ok: was started cold /)
    expect(version).toBe('skipped: does not tell its version')
  })
})

const STAT = 0x10

/** What is said of a server that tells this and is otherwise well. */
function sayingOf(stats: Record<string, string>, reading: Partial<Reading> = {}): string[] {
  const whole = readingOf(stats, reading)
  return [...findingsInUse(whole), ...findingsAtStart(whole)].map(
    ({ level, message }) => `${level}: ${message}`,
  )
}

function readingOf(stats: Record<string, string>, reading: Partial<Reading> = {}): Reading {
  return {
    stats: new Map(Object.entries(stats)),
    settings: new Map(),
    readAt: Date.now(),
    operations: ok('operations', 'answers'),
    keys: { looked: 0, foreign: 0, isComplete: true },
    keyPrefix: 'session:',
    maxBytes: 1_000_000,
    ...reading,
  }
}

/** Tells the same to `stats` and to `stats settings`, and is of no other use. */
function answerStats(request: FakeRequest, stats: Record<string, string>): void {
  if (request.opcode !== STAT) return void request.socket.write(replyTo(request, { status: 0x81 }))
  for (const [name, value] of Object.entries(stats)) {
    request.socket.write(replyTo(request, { keyLength: name.length, value: Buffer.from(name + value) }))
  }
  request.socket.write(replyTo(request))
}
