import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { startMemcached } from '../support/memcached.ts'
import { startRedis } from '../support/redis.ts'

const services = servicesOf(readFileSync('compose.yaml', 'utf8'))
const memcachedGuide = readFileSync('docs/memcached.md', 'utf8')
const redisGuide = readFileSync('docs/redis.md', 'utf8')

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

describe('compose.yaml', () => {
  it('has a memcached that is started with the flags of its guide, which Debian’s takes', async () => {
    const { command, ports } = services['memcached']!
    const [, guided] = /^memcached -l 127\.0\.0\.1 (.+)$/m.exec(memcachedGuide)!
    // In a container that is an address of the container; its port is on the loopback.
    expect(command.join(' ')).toBe(`memcached -l 0.0.0.0 ${guided}`)
    expect(ports).toEqual(['127.0.0.1:11200:11200'])
    const [flag, port, ...args] = command.slice(3)
    expect([flag, port]).toEqual(['-p', '11200'])
    const server = await startMemcached({ args })
    ends.push(() => server.stop())
    expect(await server.text('stats')).toContain(`STAT limit_maxbytes ${256 * 2 ** 20}\r\n`)
    expect(await server.text('stats settings')).toContain('STAT udpport 0\r\n')
  })

  it('has a Valkey that is set as its guide says, but for users, which Debian’s Redis takes', async () => {
    const { command, ports } = services['valkey']!
    expect(ports).toEqual(['127.0.0.1:6380:6380'])
    const settings = command
      .slice(1)
      .join(' ')
      .replaceAll(/^--| --/g, '\n')
      .slice(1)
      .split('\n')
    const [, configuration] = /```ini\n(.*?)```/s.exec(redisGuide)!
    const guided = configuration!
      .split('\n')
      .filter((line) => line !== '' && !/^(#|bind|dir|user)/.test(line))
    expect(settings.map((line) => line.replace(/ $/, ' ""'))).toEqual(guided)
    const server = await startRedis(...command.slice(3))
    ends.push(() => server.stop('SIGTERM'))
    for (const line of settings.slice(1)) {
      const [name, value = ''] = line.split(' ')
      const set = value === '256mb' ? String(256 * 2 ** 20) : value
      expect(await server.text('CONFIG', 'GET', name!)).toMatch(new RegExp(`\\r\\n${set}\\r\\n$`))
    }
  })

  it.each([
    ['hono', 'memcached'],
    ['koa', 'memcached'],
    ['express', 'valkey'],
    ['bun', 'memcached'],
  ])('is in examples/standalone/%s with %s alone, as it is here', (name, service) => {
    const [first, ...block] = linesOf(`examples/standalone/${name}/compose.yaml`)
    expect([first, block[0]]).toEqual(['services:', `  ${service}:`])
    const whole = linesOf('compose.yaml')
    const start = whole.indexOf(`  ${service}:`)
    const rest = whole.slice(start + 1)
    const end = rest.findIndex((line) => /^ {0,2}\w/.test(line))
    const volumes = service === 'valkey' ? whole.slice(-2) : []
    expect(block).toEqual([whole[start], ...rest.slice(0, end), ...volumes])
  })
})

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
}

/** The little of YAML that the file is written in: lists in brackets, or an entry a line. */
function servicesOf(text: string): Record<string, { command: string[]; ports: string[] }> {
  const [, body] = /^services:\n(.*?)^volumes:/ms.exec(text)!
  const blocks = [...body!.matchAll(/^ {2}(\w+):\n((?: {4}.*\n|\n)+)/gm)]
  const listOf = (block: string, name: string) => {
    const [, inBrackets] = new RegExp(`^ {4}${name}: \\[(.+)\\]$`, 'm').exec(block) ?? []
    const entries =
      inBrackets?.split(', ') ??
      [
        ...new RegExp(`^ {4}${name}:\n((?: {6}- .*\n)+)`, 'm').exec(block)![1]!.matchAll(/^ {6}- (.*)$/gm),
      ].map(([, entry]) => entry!)
    return entries.map((entry) => entry.replaceAll(/^'|'$/g, ''))
  }
  return Object.fromEntries(
    blocks.map(([, name, block]) => [
      name!,
      { command: listOf(block!, 'command'), ports: listOf(block!, 'ports') },
    ]),
  )
}
