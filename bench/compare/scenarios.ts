import { paths } from '../lib/servers/listening.ts'

export interface Scenario {
  name: 'anon' | 'cookie' | 'read' | 'write'
  path: string
  sendsCookie: boolean
  /** In words, for the report. */
  meaning: string
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'anon',
    path: paths.untouched,
    sendsCookie: false,
    meaning: 'no cookie, the route leaves the session alone',
  },
  {
    name: 'cookie',
    path: paths.untouched,
    sendsCookie: true,
    meaning: 'a cookie, the route leaves the session alone',
  },
  { name: 'read', path: paths.read, sendsCookie: true, meaning: 'the route reads one key' },
  {
    name: 'write',
    path: paths.write,
    sendsCookie: true,
    meaning: 'the route reads one key, adds one, and saves',
  },
]
