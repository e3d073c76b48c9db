import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'
import { checkNames, kindOf, wrong } from '../../check.ts'
import { checkBound, checkPrefix, LONGEST_TIMER, type Bounds } from '../arguments.ts'
import { parseServers, type Credentials, type ServerAddress } from './address.ts'
import { LARGEST_ITEM } from './protocol.ts'

/** Options of {@link MemcachedStore}. */
export interface MemcachedStoreOptions {
  /**
   * `'host[:port]'` (port 11211 unless given, IPv6 in brackets), a list of them, or a whole `memcached://` address.
   * The order does not matter; a server that is added, removed or written differently moves its share of the sessions.
   */
  servers: string | readonly string[]
  /** For SASL PLAIN, with `password`; in the address they are percent-encoded. Default: none. */
  username?: string | undefined
  /** For SASL PLAIN, with `username`. Default: none. */
  password?: string | undefined
  /** `true`, as `memcacheds://` does, or options; the server's certificate is always verified. Default: no TLS. */
  tls?: boolean | TlsOptions | undefined
  /** Put before every key: printable ASCII without spaces, at most 207 characters. Default `'session:'`. */
  keyPrefix?: string | undefined
  /** Milliseconds for one operation, from the call to the answer, connecting included. Default 250. */
  operationTimeoutMs?: number | undefined
  /** Milliseconds for connecting, TLS and authentication included; more than `operationTimeoutMs` has no effect. Default 250. */
  connectTimeoutMs?: number | undefined
  /** Operations that wait for one server at a time; while there are as many, a request that begins fails at once. Default 4096. */
  maxInFlight?: number | undefined
  /** The largest record in bytes; keep it below memcached's item size (`-I`, 1 MiB unless set). Default 1 000 000. */
  maxBytes?: number | undefined
}

/** TLS to memcached; certificates and keys in PEM. The server's certificate is always verified. */
export interface TlsOptions {
  /** Who may have signed the server's certificate. Default: the runtime's own list. */
  ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined
  /** A certificate of this client's own, for a server that asks for one; with `key`. */
  cert?: string | Uint8Array | undefined
  /** The private key of `cert`. */
  key?: string | Uint8Array | undefined
  /** The name that the server's certificate must hold. Default: the host of the address. */
  servername?: string | undefined
}

/** Options checked, with defaults filled in. */
export interface Settings {
  servers: ServerAddress[]
  keyPrefix: string
  maxBytes: number
  connection: ConnectionOptions
}

/** How a server is reached, and what bounds its answers. */
export interface ConnectionOptions extends Bounds {
  /** Milliseconds for connecting, TLS and authentication included. */
  connectTimeoutMs: number
  credentials?: Credentials | undefined
  tls?: TlsOptions | undefined
}

const OPTION_NAMES = [
  'servers', 'username', 'password', 'tls', 'keyPrefix', 'operationTimeoutMs', 'connectTimeoutMs', 'maxInFlight', 'maxBytes',
] // prettier-ignore
const TLS_NAMES = ['ca', 'cert', 'key', 'servername']

/** Of a session's key, without the prefix. */
export const KEY_LENGTH = 43
/** memcached's own bound is 250 bytes, and it hangs up on a longer key, with everybody's requests in flight (M5). */
const LONGEST_PREFIX = 250 - KEY_LENGTH

/** Throws `TypeError` or `RangeError` naming the option, what was expected and what came; never a password or a key. */
export function readSettings(given: string | MemcachedStoreOptions): Settings {
  const options = typeof given === 'string' ? { servers: given } : given
  checkNames('MemcachedStore', options, OPTION_NAMES, 'a memcached:// address or options')
  const parsed = parseServers(options.servers)
  for (const option of ['keyPrefix', 'username', 'password'] as const) {
    if (parsed[option] !== undefined && options[option] !== undefined)
      throw new TypeError(`${option}: expected here or in the address, got both`)
  }
  const {
    keyPrefix = parsed.keyPrefix ?? 'session:',
    username = parsed.username,
    password = parsed.password,
    tls = parsed.tls,
    operationTimeoutMs = 250,
    connectTimeoutMs = 250,
    maxInFlight = 4096,
    maxBytes = 1_000_000,
  } = options
  checkPrefix(keyPrefix)
  if (keyPrefix.length > LONGEST_PREFIX) {
    throw new RangeError(`keyPrefix: expected at most ${LONGEST_PREFIX} characters, got ${keyPrefix.length}`)
  }
  if (parsed.tls && tls === false) throw new TypeError('tls: expected true with memcacheds://, got false')
  return {
    servers: parsed.servers,
    keyPrefix,
    maxBytes: checkBound('maxBytes', maxBytes, LARGEST_ITEM),
    connection: {
      operationTimeoutMs: checkBound('operationTimeoutMs', operationTimeoutMs, LONGEST_TIMER),
      connectTimeoutMs: checkBound('connectTimeoutMs', connectTimeoutMs, LONGEST_TIMER),
      maxInFlight: checkBound('maxInFlight', maxInFlight, 2 ** 20),
      credentials: checkCredentials(username, password),
      tls: checkTls(tls),
    },
  }
}

/** NUL is what separates them on the wire (RFC 4616 §2). */
function checkCredentials(username: unknown, password: unknown): Credentials | undefined {
  if (username === undefined && password === undefined) return undefined
  return { username: checkText('username', username), password: checkText('password', password) }
}

function checkText(option: string, value: unknown): string {
  if (typeof value === 'string' && /^[^\0]+$/.test(value)) return value
  throw new TypeError(`${option}: expected a string that is not empty and holds no NUL, got ${kindOf(value)}`)
}

function checkTls(tls: MemcachedStoreOptions['tls']): TlsOptions | undefined {
  if (tls === undefined || tls === false) return undefined
  if (tls === true) return {}
  checkNames('tls', tls, TLS_NAMES, 'true or options')
  const { ca, cert, key, servername } = tls
  if ((cert === undefined) !== (key === undefined))
    throw new TypeError('tls: expected cert and key together, got one')
  if (servername !== undefined && (typeof servername !== 'string' || isIP(servername)))
    throw wrong('tls.servername', 'a host name', servername)
  for (const pem of [ca, cert, key].flat()) {
    if (pem === undefined || typeof pem === 'string' || pem instanceof Uint8Array) continue
    throw new TypeError(`tls: expected ca, cert and key in PEM, as strings or bytes, got ${kindOf(pem)}`)
  }
  try {
    // For its own part it takes what is no certificate, and later finds the server's not to be signed by it.
    for (const certificate of [ca, cert].flat())
      if (certificate !== undefined) void new X509Certificate(certificate)
    createSecureContext({ ca: ca as string, cert: cert as string, key: key as string })
  } catch (error) {
    throw new TypeError('tls: expected ca, cert and key in PEM, got what cannot be read', { cause: error })
  }
  return tls
}
