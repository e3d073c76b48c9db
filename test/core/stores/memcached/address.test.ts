import { describe, expect, it } from 'vitest'
import { parseServers, serverName } from '../../../../src/core/stores/memcached/address.ts'

function names(servers: string | readonly string[]): string[] {
  return parseServers(servers).servers.map(serverName)
}

function refusalOf(servers: unknown): Error {
  try {
    parseServers(servers as string)
  } catch (error) {
    return error as Error
  }
  throw new Error(`accepted ${String(servers)}`)
}

describe('parseServers', () => {
  it('reads an address of several servers', () => {
    expect(parseServers('memcached://10.0.0.1:11200,sessions.internal')).toEqual({
      servers: [
        { host: '10.0.0.1', port: 11200 },
        { host: 'sessions.internal', port: 11211 },
      ],
    })
  })

  it('reads IPv6 in brackets', () => {
    expect(parseServers('memcached://[::1]:11200,[fe80::2]').servers).toEqual([
      { host: '::1', port: 11200 },
      { host: 'fe80::2', port: 11211 },
    ])
    expect(names('[::1]')).toEqual(['[::1]:11211'])
  })

  it('reads the path as the key prefix, percent-decoded', () => {
    expect(parseServers('memcached://localhost/shop:').keyPrefix).toBe('shop:')
    expect(parseServers('memcached://localhost/a/b%3F%40').keyPrefix).toBe('a/b?@')
    expect(parseServers('memcached://localhost/').keyPrefix).toBeUndefined()
    expect(parseServers('memcached://localhost').keyPrefix).toBeUndefined()
  })

  it('reads a single server and a list', () => {
    expect(names('localhost')).toEqual(['localhost:11211'])
    expect(names(['10.0.0.1', '10.0.0.2:11200'])).toEqual(['10.0.0.1:11211', '10.0.0.2:11200'])
  })

  it('takes host names and schemes in any case', () => {
    expect(names('Memcached://Sessions.Internal:11200')).toEqual(['sessions.internal:11200'])
  })

  it.each([
    ['nothing', '', TypeError],
    ['no list', [], TypeError],
    ['an address without a host', 'memcached://', TypeError],
    ['an address with only a prefix', 'memcached:///prefix', TypeError],
    ['an empty host in a list', 'memcached://10.0.0.1,,10.0.0.2', TypeError],
    ['an empty host in an array', ['10.0.0.1', ''], TypeError],
    ['a host with a space', ['10.0.0.1 '], TypeError],
    ['only a port', ':11211', TypeError],
    ['an empty port', 'localhost:', TypeError],
    ['a port that is no number', 'localhost:memcached', TypeError],
    ['port 0', 'memcached://localhost:0', RangeError],
    ['port 70000', ['localhost:70000'], RangeError],
    ['IPv6 without brackets', '::1', TypeError],
    ['what is no IPv6 in brackets', '[localhost]:11211', TypeError],
    ['another scheme', 'redis://localhost', TypeError],
    ['a query', 'memcached://localhost/prefix?timeout=1', TypeError],
    ['a fragment', 'memcached://localhost#prefix', TypeError],
    ['a broken percent-encoding', 'memcached://localhost/%zz', TypeError],
    ['the same server twice', ['localhost', 'LOCALHOST:11211'], TypeError],
    ['a number', 11211, TypeError],
    ['null', null, TypeError],
    ['a list of numbers', [11211], TypeError],
  ])('refuses %s', (_, servers, kind) => {
    const refusal = refusalOf(servers)
    expect(refusal).toBeInstanceOf(kind)
    expect(refusal.message).toMatch(/^servers: expected .+, got /)
  })

  it.each([
    ['one text', 'a:1,b:2'],
    ['one text without ports', 'sessions-1,sessions-2'],
    ['one text in a list', ['a:1', 'b:2, c:3']],
    ['what may be a password with a comma', 'hunter:hun,ter2'],
  ])('says how to write several servers that came in %s', (_, servers) => {
    const { message } = refusalOf(servers)
    expect(message).toMatch(/, got several in one; write a list, \['a:1', 'b:2'\], or memcached:\/\/a:1,b:2$/)
    expect(message).not.toContain('hun,')
  })

  it('reads user and password, percent-encoded, and the wish for TLS', () => {
    expect(parseServers('memcached://hunter:p%3A%40%2C%2F%25%C3%BC@10.0.0.1,10.0.0.2/prefix')).toEqual({
      servers: [
        { host: '10.0.0.1', port: 11211 },
        { host: '10.0.0.2', port: 11211 },
      ],
      username: 'hunter',
      password: 'p:@,/%ü',
      keyPrefix: 'prefix',
    })
    expect(parseServers('MEMCACHEDS://[::1]:11200')).toEqual({
      servers: [{ host: '::1', port: 11200 }],
      tls: true,
    })
  })

  it.each([
    ['a password with a bare /', 'memcached://hunter:hunter2/x@localhost'],
    ['a password with a bare @', 'memcached://hunter:hunter2@x@localhost'],
    ['a password with a bare :', 'memcached://hunter:hunter2:x@localhost'],
    ['a password with a bare ?', 'memcached://hunter:hunter2?x@localhost'],
    ['a password with a bare #', 'memcached://hunter:hunter2#x@localhost'],
    ['a broken percent-encoding', 'memcached://hunter:hunter2%zz@localhost'],
    ['a user alone', 'memcached://hunter@localhost'],
    ['no password', 'memcached://hunter:@localhost'],
    ['no user', 'memcached://:hunter2@localhost'],
    ['credentials behind the first host', 'memcached://localhost,hunter:hunter2@10.0.0.1/prefix'],
    ['credentials behind another scheme', 'redis://hunter:hunter2@localhost'],
    ['credentials of a single server', 'hunter:hunter2@localhost'],
    ['credentials in a list', ['localhost', 'hunter:hunter2@10.0.0.1:0']],
    ['credentials without a host', 'memcached://hunter:hunter2'],
    ['a password of digits without a host', 'memcached://hunter:84739201'],
    ['a password of few digits without a host', 'memcached://hunter:84739'],
    ['the same password twice, without a host', 'memcached://x:1,hunter2,hunter2'],
    ['a bare @ in the prefix', 'memcached://localhost/hunter@x'],
  ])('refuses %s without repeating it', (_, servers) => {
    const refusal = refusalOf(servers)
    expect(refusal).toBeInstanceOf(String(servers).endsWith(':84739') ? RangeError : TypeError)
    expect(refusal.message).toMatch(/^servers: expected .+/)
    expect(refusal.message + refusal.stack).not.toMatch(/hunter|84739/)
  })
})
