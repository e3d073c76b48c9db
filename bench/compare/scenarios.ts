import { paths } from '../lib/servers/listening.ts'

/** Each has a session of his own, and they take turns. */
export interface Visitors {
  name: string
  signInPath: string
  count: number
}

export interface Scenario {
  name: 'anon' | 'cookie' | 'read' | 'write' | 'cold' | 'signed-in'
  path: string
  /** None: no cookie is sent. */
  visitors?: Visitors
  /** In words, for the report. */
  meaning: string
}

/** Few enough that holdfast remembers what their records held, as it does for whoever came less than a minute ago. */
const regulars: Visitors = { name: 'regulars', signInPath: paths.signIn, count: 2_048 }
/**
 * More than the 10 000 records that holdfast remembers (src/core/record/opened-records.ts), and gone through in a circle,
 * from one round to the next too: whenever one comes back, his record has been forgotten.
 */
const crowd: Visitors = { name: 'crowd', signInPath: paths.signIn, count: 12_288 }
const users: Visitors = { name: 'users', signInPath: paths.signInUser, count: 2_048 }

export const scenarios: readonly Scenario[] = [
  { name: 'anon', path: paths.untouched, meaning: 'no cookie, the route leaves the session alone' },
  {
    name: 'cookie',
    path: paths.untouched,
    visitors: regulars,
    meaning: 'a cookie, the route leaves the session alone',
  },
  { name: 'read', path: paths.read, visitors: regulars, meaning: 'the route reads one key' },
  {
    name: 'write',
    path: paths.write,
    visitors: regulars,
    meaning: 'the route reads one key, adds one, and saves',
  },
  {
    name: 'cold',
    path: paths.read,
    visitors: crowd,
    meaning: 'as read, and no record is one that the process remembers',
  },
  {
    name: 'signed-in',
    path: paths.read,
    visitors: users,
    meaning: 'as read, by visitors who are signed in as users, whose list of sessions is asked for too',
  },
]
