import type { constants } from 'node:os'
import type { MemcachedErrorCode } from '../core/stores/memcached/memcached-error.ts'
import { refusalOf } from '../core/stores/redis/redis-server.ts'
import { unfit, type Finding } from './finding.ts'

const LOOK_AT_PROCESS =
  'Look at its process: frozen, overloaded, no memcached at all, or one without the binary protocol (-B ascii, -Y)'

type Code = MemcachedErrorCode | keyof typeof constants.errno | 'ENOTFOUND' | 'EAI_AGAIN'

/** What error codes mean, where the message does not say it, and what to do. */
const FAILURES: readonly [Code[], string | undefined, string][] = [
  [['ECONNREFUSED'], 'refuses connections: nothing listens there', 'Start it, or correct host and port'],
  [['ENOTFOUND', 'EAI_AGAIN'], 'has a name that nobody knows', 'Correct the name, or the DNS'],
  [['ERR_CONNECT_TIMEOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'], 'cannot be reached: no connection came about', 'Look at firewalls and routes between here and there, and whether that host and memcached are alive'],
  [['ERR_ANSWER_TIMEOUT'], 'takes connections and answers nothing', LOOK_AT_PROCESS],
  [['ERR_SIGN_IN_TIMEOUT'], 'takes connections and does not answer the sign-in', LOOK_AT_PROCESS],
  [['ERR_HANDSHAKE_TIMEOUT'], 'takes connections and does not answer the TLS handshake', 'If it wants no TLS, write memcached://; otherwise look at its process: frozen, overloaded, no memcached at all'],
  [['ERR_HANDSHAKE_FAILED'], undefined, 'Look at its certificate; NODE_EXTRA_CA_CERTS names an authority of your own. If it wants no TLS, write memcached://'],
  [['ERR_SIGN_IN_MISSING'], 'wants a user and a password', 'Put them into the address: user:password@host'],
  [['ERR_SIGN_IN_REFUSED'], undefined, 'Correct them in the address, percent-encoded'],
  [['ERR_SIGN_IN_UNSUPPORTED'], undefined, 'Start it with -S, or leave user and password out of the address'],
  [['ERR_NO_VERSIONS'], 'keeps no versions (-C): writes overwrite each other, and sign-outs are undone', 'Start it without -C (--disable-cas)'],
  [['ERR_OUT_OF_MEMORY'], 'has no memory left for a session', 'Give it more (-m): nobody can sign in before'],
  [['ERR_CONNECT_FAILED', 'ERR_CONNECTION_LOST', 'ECONNRESET'], undefined, 'If it wants TLS, write memcacheds://; otherwise: is it a memcached?'],
] // prettier-ignore

/** By code, by the word that Redis refuses with, or by class. */
const REDIS_FAILURES: readonly [RegExp, string | undefined, string][] = [
  [/^ECONNREFUSED$/, 'refuses connections: nothing listens there', 'Start it, or correct host and port'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'has a name that nobody knows', 'Correct the name, or the DNS'],
  [/^(E(TIMEDOUT|HOSTUNREACH|NETUNREACH)|ConnectionTimeoutError)$/, 'cannot be reached: no connection came about', 'Look at firewalls and routes between here and there; if it wants no TLS, write redis://'],
  [/^ERR_ANSWER_TIMEOUT$/, 'takes connections and answers nothing', 'Look at its process: frozen, overloaded, no Redis at all'],
  [/^(ECONNRESET|SocketClosed.*)$/, undefined, 'If it wants TLS, write rediss://; otherwise: is it a Redis?'],
  [/CERT|SIGNATURE|SSL/, undefined, 'Look at its certificate; NODE_EXTRA_CA_CERTS names an authority of your own. If it wants no TLS, write redis://'],
  [/^NOAUTH$/, 'wants a user and a password', 'Put them into the address: user:password@host'],
  [/^WRONGPASS$/, 'refused the user or the password', 'Correct them in the address, percent-encoded'],
  [/^NOPERM$/, undefined, 'Allow it: ACL SETUSER name ~prefix* +getex +set +eval +getrange +del +info'],
  [/^OOM$/, 'is full and refuses writes: nobody can sign in or out', 'Raise maxmemory'],
  [/^(READONLY|MASTERDOWN)$/, 'is a replica and takes no writes', 'Give the address of the master'],
  [/^[A-Z]{4,}$/, undefined, 'Look at its log'],
  [/^/, undefined, 'Use Redis 6.2 or later, or Valkey, without a proxy before it'],
] // prettier-ignore

/** The same of Redis and Valkey. */
export function explainRedis(topic: string, error: NodeJS.ErrnoException): Finding {
  const code = error.code ?? refusalOf(error) ?? error.constructor.name
  const [, meaning, advice] = REDIS_FAILURES.find(([codes]) => codes.test(code))!
  return unfit(topic, meaning ?? `does not work: ${error.message}`, advice)
}

/** Why a server cannot hold sessions, from what an operation on it rejected with. */
export function explain(topic: string, error: NodeJS.ErrnoException): Finding {
  const [, meaning, advice = 'Use a memcached without a proxy before it'] =
    FAILURES.find(([codes]) => codes.some((code) => code === error.code)) ?? []
  return unfit(topic, meaning ?? `does not work: ${error.message}`, advice)
}
