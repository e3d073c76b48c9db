import { describe, expect, it } from 'vitest'
import { findFaults } from './find-faults.ts'
import type { Entry, Step } from './history.ts'

/** A request without a cookie that was acknowledged and began and ended at these times. */
function asked(
  id: string,
  [began, ended]: [number, number],
  steps: Step[],
  more: Partial<Entry> = {},
): Entry {
  const said = { isExplicit: false, token: '', status: 200, events: [], taken: [] }
  return { id, steps, began, ended, ...said, ...more }
}

const user = 'u1'
/** Its session's token is its id in upper case, its entry's `id-entry`. */
const signIn = (id: string, times: [number, number], more: Partial<Entry> = {}) =>
  asked(id, times, [{ type: 'sign-in', user }], { setCookie: id.toUpperCase(), ...more })
const repeated = (id: string, times: [number, number], token: string, more: Partial<Entry> = {}) =>
  signIn(id, times, { token: 'T', setCookie: token, ...more })
const list = (id: string, times: [number, number], labels: string[], more: Partial<Entry> = {}) =>
  asked(id, times, [{ type: 'list', user }], {
    listed: labels.map((label) => ({ id: `${label}-entry`, label, isCurrent: false })),
    ...more,
  })
const read = (id: string, times: [number, number], token: string, data: Record<string, unknown>) =>
  asked(id, times, [{ type: 'read' }], { token, read: data })
const revoke = (id: string, times: [number, number], whose: string, more: Partial<Entry> = {}) =>
  asked(id, times, [{ type: 'revoke', user, entry: `${whose}-entry` }], more)
const revokeOthers = (id: string, times: [number, number], more: Partial<Entry> = {}) =>
  asked(id, times, [{ type: 'revoke-others', user }], { token: 'A', ...more })

const OUTAGE = { status: 503, events: ['store-error'], setCookie: undefined }
const a = signIn('a', [0, 1])
const data = { x: 'b' }
const withData: Step[] = [
  { type: 'sign-in', user },
  { type: 'set', key: 'x', value: 'b' },
]
const counting: Step[] = [
  { type: 'sign-in', user },
  { type: 'increment', key: 'n' },
]

describe('A history of a user is as promised when', () => {
  it.each<[string, Entry[]]>([
    ['what signed in is listed', [a, signIn('b', [0, 5]), list('l1', [2, 3], ['a']), list('l2', [6, 7], ['b', 'a'])]],
    ['what was revoked is gone', [
      a,
      signIn('b', [0, 1]),
      list('l1', [2, 3], ['a', 'b']),
      revoke('r', [4, 6], 'b'),
      list('l2', [5, 6], ['a', 'b']),
      list('l3', [7, 8], ['a']),
      read('read', [7, 8], 'B', {}),
    ]],
    ['a sign-in that overlaps a revocation is ended by it or survives it', [
      a,
      signIn('b', [2, 9], { steps: withData }),
      signIn('c', [2, 9]),
      revokeOthers('r', [3, 4]),
      list('l', [10, 11], ['a', 'b']),
      read('rb', [10, 11], 'B', data),
      read('rc', [10, 11], 'C', {}),
    ]],
    ['a revocation that met an outage strikes later', [
      a,
      signIn('b', [0, 1]),
      revokeOthers('r', [2, 3], OUTAGE),
      list('l1', [4, 5], ['a', 'b']),
      list('l2', [6, 7], ['a']),
    ]],
    ['a sign-in that met an outage is listed, or is not', [
      signIn('b', [0, 1], OUTAGE),
      list('l1', [2, 3], ['b']),
      list('l2', [4, 5], []),
    ]],
    ['a sign-out could not take its entry out', [
      a,
      asked('out', [2, 3], [{ type: 'destroy' }], { token: 'A', setCookie: '', events: ['store-error'] }),
      list('l', [4, 5], ['a']),
    ]],
    ['a sign-in is repeated', [
      repeated('b', [2, 9], 'S'),
      repeated('c', [3, 4], 'S'),
      list('l1', [5, 6], ['c']),
      list('l2', [10, 11], ['c'], { token: 'S' }),
    ]],
    ['a repeated sign-in joins one that was answered with an error', [
      repeated('b', [2, 3], '', OUTAGE),
      repeated('c', [4, 5], 'S'),
      list('l', [6, 7], ['b']),
    ]],
    ['a repeated sign-in starts afresh where the first had been ended', [
      repeated('b', [2, 3], 'S'),
      revokeOthers('r', [4, 5]),
      repeated('c', [6, 7], 'C'),
      list('l', [8, 9], ['c']),
    ]],
  ])('%s', (_, history) => {
    expect(findFaults(history)).toEqual([])
  }) // prettier-ignore
})

describe('A fault of users is found when', () => {
  it.each<[string, Entry[], string[]]>([
    ['a sign-in is lost', [a, list('l', [2, 3], [])], ['l lists no a, which nothing had ended']],
    ['one is listed that was revoked', [
      a,
      signIn('b', [0, 1]),
      revokeOthers('r', [2, 3]),
      list('l', [4, 5], ['a', 'b']),
    ], ['l lists b, which r had ended']],
    ['one is listed that signed out', [
      a,
      asked('out', [2, 3], [{ type: 'destroy' }], { token: 'A', setCookie: '' }),
      list('l', [4, 5], ['a']),
    ], ['l lists a, which out had ended']],
    ['one is read that was revoked', [
      a,
      signIn('b', [0, 1], { steps: withData }),
      revokeOthers('r', [2, 3]),
      read('read', [4, 5], 'B', data),
    ], ['read read, though it began after r had ended the session']],
    ['one is gone that began after the revocation', [
      a,
      revokeOthers('r', [2, 3]),
      signIn('b', [4, 5], { steps: withData }),
      read('read', [6, 7], 'B', {}),
    ], ['read read no x: b is lost']],
    ['the revocation of one ended another', [
      a,
      signIn('b', [0, 1]),
      list('l1', [2, 3], ['a', 'b']),
      revoke('r', [4, 5], 'b'),
      list('l2', [6, 7], []),
    ], ['l2 lists no a, which nothing had ended']],
    ['the revocation of all others ended its own', [
      a,
      revokeOthers('r', [2, 3]),
      list('l', [4, 5], []),
    ], ['l lists no a, which nothing had ended']],
    ['a revoked id comes back', [
      a,
      signIn('b', [0, 9]),
      list('l1', [2, 3], ['a', 'b']),
      revokeOthers('r', [4, 5]),
      list('l2', [6, 7], ['a']),
      list('l3', [10, 11], ['a', 'b']),
    ], ['l3 lists b, which was gone from l2']],
    ['one is listed twice, or by nobody, or before it began, or though it was refused', [
      a,
      signIn('b', [4, 5]),
      signIn('c', [0, 1], { status: 503, events: ['conflict'], setCookie: undefined }),
      list('l', [2, 3], ['a', 'a', 'b', 'x']),
      list('later', [1000, 1001], ['a', 'b', 'c']),
    ], [
      'l lists x, who never signed in',
      'l lists a twice',
      'l lists b, which had not begun',
      'later lists c, which was refused',
    ]],
    ['another session is called its own', [
      a,
      signIn('b', [0, 1]),
      list('l', [2, 3], ['a', 'b'], {
        token: 'A',
        listed: [
          { id: 'a-entry', label: 'a', isCurrent: false },
          { id: 'b-entry', label: 'b', isCurrent: true },
        ],
      }),
    ], ['l lists b as its own session']],
    ['a repeated sign-in forks', [
      repeated('b', [2, 5], 'S'),
      repeated('c', [3, 4], 'C'),
    ], ['c was given another token than b, for the same session']],
    ['a repeated sign-in makes two devices', [
      repeated('b', [2, 5], 'S'),
      repeated('c', [3, 4], 'S'),
      list('l', [6, 7], ['b', 'c']),
    ], ['l lists b and c, which are one session', 'l lists c and b, which are one session']],
    ['a repeated sign-in loses what one of them did', [
      asked('begin', [0, 1], [{ type: 'set', key: 'x', value: 'b' }], { setCookie: 'T' }),
      repeated('b', [2, 5], 'S', { steps: counting }),
      repeated('c', [3, 4], 'S', { steps: counting }),
      read('read', [6, 7], 'S', { n: 1 }),
    ], ['read read n = 1, with 2 acknowledged of 2 asked', 'read read no x: begin is lost']],
  ])('%s', (_, history, faults) => {
    expect(findFaults(history)).toEqual(faults)
  }) // prettier-ignore
})
