import { isIPv6 } from 'node:net'

/** One memcached, validated. `host` is lower case, an IPv6 address without its brackets. */
export interface ServerAddress {
  host: string
  port: number
}

/** What a list of servers comes down to; `keyPrefix` only where an address names one. */
export interface ParsedServers {
  servers: ServerAddress[]
  keyPrefix?: string
}

const DEFAULT_PORT = 11211
const SCHEME = 'memcached://'
const EXPECTED = `servers: expected '${SCHEME}host[:port][,host[:port]...][/prefix]' or 'host[:port]'`

/**
 * Reads one `host[:port]`, a list of them, or a whole `memcached://host:11211,host2:11211/prefix`, which `URL` cannot:
 * it knows no list of hosts. The prefix is percent-decoded.
 *
 * Throws `TypeError` or `RangeError` that say what was expected and what came, but never repeat what may be a password.
 */
export function parseServers(servers: string | readonly string[]): ParsedServers {
  if (typeof servers === 'string' && servers.includes('://')) return parseAddress(servers)
  const list = Array.isArray(servers) ? servers : [servers]
  return { servers: distinct(list.map(parseServer)) }
}

function parseAddress(address: string): ParsedServers {
  refuseCredentials(address)
  const [, scheme = 'an unknown scheme', hosts = '', prefix, rest] =
    /^([a-z]+:\/\/)([^/?#]*)(?:\/([^?#]*))?(.*)$/is.exec(address) ?? []
  if (scheme.toLowerCase() === 'memcacheds://') throw new TypeError(`${EXPECTED}: TLS is not supported yet`)
  if (scheme.toLowerCase() !== SCHEME) throw new TypeError(`${EXPECTED}, got ${scheme}`)
  if (rest) throw new TypeError(`${EXPECTED}, got a query or a fragment`)
  const servers = distinct(hosts.split(',').map(parseServer))
  return prefix ? { servers, keyPrefix: decodePrefix(prefix) } : { servers }
}

function parseServer(server: string): ServerAddress {
  if (typeof server !== 'string') {
    throw new TypeError(`${EXPECTED}, got ${server === null ? 'null' : typeof server}`)
  }
  refuseCredentials(server)
  const [, ipv6, name, port = DEFAULT_PORT] = /^(?:\[([^\]]*)\]|([\w.-]+))(?::(\d+))?$/.exec(server) ?? []
  const host = ipv6 ?? name
  if (host === undefined || (ipv6 !== undefined && !isIPv6(ipv6))) {
    throw new TypeError(`${EXPECTED} with IPv6 in brackets, got '${server}'`)
  }
  if (Number(port) < 1 || Number(port) > 65_535) {
    throw new RangeError(`servers: expected a port from 1 to 65535, got '${server}'`)
  }
  return { host: host.toLowerCase(), port: Number(port) }
}

/** `host:port` as placement sees it: sessions move when it changes. */
export function serverName({ host, port }: ServerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** By the bare `@`, wherever it is: a password may hold a slash, and then no part of the text is safe to repeat. */
function refuseCredentials(text: string): void {
  if (text.includes('@')) {
    throw new TypeError(
      `${EXPECTED} without credentials (SASL is not supported yet; write an @ in the prefix as %40)`,
    )
  }
}

function decodePrefix(prefix: string): string {
  try {
    return decodeURIComponent(prefix)
  } catch {
    throw new TypeError(`${EXPECTED}, got a prefix that is not percent-encoded UTF-8`)
  }
}

function distinct(servers: ServerAddress[]): ServerAddress[] {
  const names = servers.map(serverName)
  if (names.length === 0) throw new TypeError(`${EXPECTED}, got an empty list`)
  const repeated = names.find((name, index) => names.indexOf(name) < index)
  if (repeated) throw new TypeError(`servers: expected each server once, got '${repeated}' again`)
  return servers
}
