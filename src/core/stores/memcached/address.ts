import { isIPv6 } from 'node:net'

/** One memcached, validated. `host` is lower case, an IPv6 address without its brackets. */
export interface ServerAddress {
  host: string
  port: number
}

/** For SASL PLAIN (RFC 4616). */
export interface Credentials {
  username: string
  password: string
}

/** What a list of servers comes down to, as the options of those names; all but the servers only where an address says it. */
export interface ParsedServers extends Partial<Credentials> {
  servers: ServerAddress[]
  keyPrefix?: string
  tls?: true
}

const DEFAULT_PORT = 11211
const EXPECTED =
  "servers: expected 'memcached[s]://[user:password@]host[:port][,host[:port]...][/prefix]' or 'host[:port]'"

/**
 * Reads one `host[:port]`, a list of them, or a whole `memcached://user:password@host:11211,host2:11211/prefix`, which
 * `URL` cannot: it knows no list of hosts. User, password and prefix are percent-decoded; `memcacheds://` asks for TLS.
 *
 * Throws `TypeError` or `RangeError` that say what was expected and what came, but never repeat what may be a password.
 */
export function parseServers(servers: string | readonly string[]): ParsedServers {
  if (typeof servers === 'string' && servers.includes('://')) return parseAddress(servers)
  const list = Array.isArray(servers) ? servers : [servers]
  return { servers: distinct(list.map(parseServer)) }
}

function parseAddress(address: string): ParsedServers {
  const [, scheme = '', userInfo, hosts = '', prefix, rest] =
    /^([a-z]+):\/\/(?:([^@,/?#]*)@)?([^@/?#]*)(?:\/([^@?#]*))?(.*)$/is.exec(address) ?? []
  // A password may hold any of these bare: then no part of the text is safe to repeat.
  if (rest?.includes('@'))
    throw new TypeError(`${EXPECTED}, with @ : , / ? # and % in user, password and prefix percent-encoded`)
  if (!/^memcacheds?$/i.test(scheme)) throw unexpected(`${scheme || 'no scheme'}://`)
  if (rest) throw unexpected('a query or a fragment')
  return {
    servers: distinct(hosts.split(',').map(parseServer)),
    ...(prefix && { keyPrefix: decode('a prefix', prefix) }),
    ...(userInfo !== undefined && parseUserInfo(userInfo)),
    ...(scheme.toLowerCase() === 'memcacheds' && { tls: true }),
  }
}

function parseUserInfo(userInfo: string): Credentials {
  const [username, password, ...rest] = userInfo.split(':').map((part) => decode('credentials', part))
  if (!username || !password || rest.length > 0) throw unexpected('credentials that are not user:password')
  return { username, password }
}

function parseServer(server: string, index: number): ServerAddress {
  if (typeof server !== 'string') throw unexpected(server === null ? 'null' : typeof server)
  if (server.includes('@')) throw unexpected('credentials in a list; they are username and password')
  if (server.includes(','))
    throw unexpected("several in one; write a list, ['a:1', 'b:2'], or memcached://a:1,b:2")
  const [, ipv6, name, port = DEFAULT_PORT] = /^(?:\[([^\]]*)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(server) ?? []
  const host = ipv6 ?? name
  if (host === undefined || (ipv6 !== undefined && !isIPv6(ipv6))) {
    // Not repeated: it may be user:password of an address that forgot the host.
    throw new TypeError(`${EXPECTED} with IPv6 in brackets, got a server that is not written so`)
  }
  if (Number(port) < 1 || Number(port) > 65_535) {
    // Not repeated either: digits alone may be a password.
    throw new RangeError(`servers: expected a port from 1 to 65535, got another for server ${index + 1}`)
  }
  return { host: host.toLowerCase(), port: Number(port) }
}

/** `host:port` as placement sees it: sessions move when it changes. */
export function serverName({ host, port }: ServerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function decode(what: string, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw unexpected(`${what} not in percent-encoded UTF-8`)
  }
}

function distinct(servers: ServerAddress[]): ServerAddress[] {
  const names = servers.map(serverName)
  if (names.length === 0) throw unexpected('an empty list')
  const place = 1 + names.findIndex((name, index) => names.indexOf(name) < index)
  if (place > 0) throw new TypeError(`servers: expected each server once, got server ${place} again`)
  return servers
}

function unexpected(came: string): TypeError {
  return new TypeError(`${EXPECTED}, got ${came}`)
}
