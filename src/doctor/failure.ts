import type { constants } from 'node:os'
import type { MemcachedErrorCode } from '../core/stores/memcached/memcached-error.ts'
import { unfit, type Finding } from './finding.ts'

const LOOK_AT_PROCESS =
  'Look at its process: frozen, overloaded, no memcached at all, or one without the binary protocol (-B ascii, -Y)'

type Code = MemcachedErrorCode | keyof typeof constants.errno | 'ENOTFOUND' | 'EAI_AGAIN'

/** What error codes mean, where the message does not say it, and what to do. */
const FAILURES: readonly [Code[], string | undefined, string][] = [
  [['ECONNREFUSED'], 'refuses connections: nothing listens there', 'Start it, or correct host and port'],
  [['ENOTFOUND', 'EAI_AGAIN'], 'has a name that nobody knows', 'Correct the name, or the DNS'],
  [
    ['ERR_CONNECT_TIMEOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'],
    'cannot be reached: no connection came about',
    'Look at firewalls and routes between here and there, and whether that host and memcached are alive',
  ],
  [['ERR_ANSWER_TIMEOUT'], 'takes connections and answers nothing', LOOK_AT_PROCESS],
  [['ERR_SIGN_IN_TIMEOUT'], 'takes connections and does not answer the sign-in', LOOK_AT_PROCESS],
  [
    ['ERR_HANDSHAKE_TIMEOUT'],
    'takes connections and does not answer the TLS handshake',
    'If it wants no TLS, write memcached://; otherwise look at its process: frozen, overloaded, no memcached at all',
  ],
  [
    ['ERR_HANDSHAKE_FAILED'],
    undefined,
    'Look at its certificate; NODE_EXTRA_CA_CERTS names an authority of your own. If it wants no TLS, write memcached://',
  ],
  [['ERR_SIGN_IN_MISSING'], 'wants a user and a password', 'Put them into the address: user:password@host'],
  [['ERR_SIGN_IN_REFUSED'], undefined, 'Correct them in the address, percent-encoded'],
  [['ERR_SIGN_IN_UNSUPPORTED'], undefined, 'Start it with -S, or leave user and password out of the address'],
  [
    ['ERR_NO_VERSIONS'],
    'keeps no versions (-C): writes overwrite each other, and sign-outs are undone',
    'Start it without -C (--disable-cas)',
  ],
  [['ERR_OUT_OF_MEMORY'], 'has no memory left for a session', 'Give it more (-m): nobody can sign in before'],
  [
    ['ERR_CONNECT_FAILED', 'ERR_CONNECTION_LOST', 'ECONNRESET'],
    undefined,
    'If it wants TLS, write memcacheds://; otherwise: is it a memcached?',
  ],
]

/** Why a server cannot hold sessions, from what an operation on it rejected with. */
export function explain(topic: string, error: NodeJS.ErrnoException): Finding {
  const [, meaning, advice = 'Use a memcached without a proxy before it'] =
    FAILURES.find(([codes]) => codes.some((code) => code === error.code)) ?? []
  return unfit(topic, meaning ?? `does not work: ${error.message}`, advice)
}
