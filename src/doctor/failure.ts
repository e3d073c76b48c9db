import { unfit, type Finding } from './finding.ts'

const LOOK_AT_PROCESS =
  'Look at its process: frozen, overloaded, no memcached at all, or one without the binary protocol (-B ascii, -Y)'

/** What an error's code and message hold, what that means, and what to do. The first one that fits. */
const FAILURES: readonly [RegExp, string | undefined, string][] = [
  [/ECONNREFUSED/, 'refuses connections: nothing listens there', 'Start it, or correct host and port'],
  [/ENOTFOUND|EAI_AGAIN/, 'has a name that nobody knows', 'Correct the name, or the DNS'],
  [
    /no connection in time|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/,
    'cannot be reached: no connection came about',
    'Look at firewalls and routes between here and there, and whether that host and memcached are alive',
  ],
  [/no answer in time/, 'takes connections and answers nothing', LOOK_AT_PROCESS],
  [/TLS handshake/, undefined, 'Look at its certificate; NODE_EXTRA_CA_CERTS names an authority of your own'],
  [/wants a username/, 'wants a user and a password', 'Put them into the address: user:password@host'],
  [/the username or the password/, undefined, 'Correct them in the address, percent-encoded'],
  [/started without -S/, undefined, 'Start it with -S, or leave user and password out of the address'],
  [
    /keeps no versions/,
    'keeps no versions (-C): writes overwrite each other, and sign-outs are undone',
    'Start it without -C (--disable-cas)',
  ],
  [/out of memory/, 'has no memory left for a session', 'Give it more (-m): until then nobody can sign in'],
  [
    /closed the connection|connection was lost|ECONNRESET|does not fit the request/,
    undefined,
    'If it wants TLS, write memcacheds://; otherwise: is it a memcached?',
  ],
]

/** Why a server cannot hold sessions, from what an operation on it rejected with. */
export function explain(topic: string, error: Error & { code?: unknown }): Finding {
  const text = `${String(error.code)} ${error.message}`
  const [, meaning, advice = 'Use a memcached without a proxy before it'] =
    FAILURES.find(([pattern]) => pattern.test(text)) ?? []
  return unfit(topic, meaning ?? `does not work: ${error.message}`, advice)
}
