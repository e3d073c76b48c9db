import { describe, expect, it } from 'vitest'
import { findFaults, ORDER } from './find-faults.ts'
import type { Data, Entry, Step } from './history.ts'

const set = (key: string, value: string): Step => ({ type: 'set', key, value })
const remove = (key: string): Step => ({ type: 'delete', key })
const increment: Step = { type: 'increment', key: 'n' }
const append: Step = { type: 'append', key: ORDER }
const take = (key: string): Step => ({ type: 'take', key })

/** An acknowledged request on token T that began and ended at these times. */
function wrote(
  id: string,
  [began, ended]: [number, number],
  steps: Step[],
  more: Partial<Entry> = {},
): Entry {
  const said = { isExplicit: false, token: 'T', status: 200, events: [], taken: [] }
  return { id, steps, began, ended, ...said, ...more }
}

function read(id: string, [began, ended]: [number, number], read: Data, more: Partial<Entry> = {}): Entry {
  return wrote(id, [began, ended], [{ type: 'read' }], { read, ...more })
}

const begin = wrote('begin', [0, 1], [set('user', 'u1'), append], { token: '', setCookie: 'T' })
const begun = { user: 'u1', [ORDER]: ['begin'] }
const signOut = (id: string, times: [number, number], more: Partial<Entry> = {}) =>
  wrote(id, times, [{ type: 'destroy' }], { setCookie: '', ...more })
const signIn = (id: string, times: [number, number], more: Partial<Entry> = {}) =>
  wrote(id, times, [{ type: 'regenerate' }, append], { setCookie: 'S', ...more })

const OUTAGE = { status: 503, events: ['store-error'] }
const CONFLICT = { status: 503, events: ['conflict'] }
const DROPPED = { events: ['dropped'] }
/** The reply to its write was lost, and all the same it was told that nothing was written. */
const TOLD_NOTHING: [string, Partial<Entry>][] = [
  [
    'save()',
    { isExplicit: true, status: 500, events: ['store-error', 'dropped'], refusal: 'ERR_SESSION_ENDED' },
  ],
  ['the commit after the handler', { events: ['store-error', 'dropped'] }],
]

describe('A history is as promised when', () => {
  it.each<[string, Entry[]]>([
    ['nothing was asked', []],
    ['what was written is read', [
      begin,
      wrote('a', [2, 4], [set('x', 'a'), increment, append]),
      wrote('b', [3, 5], [set('x', 'b'), increment, append]),
      read('r', [6, 7], { user: 'u1', x: 'a', n: 2, [ORDER]: ['begin', 'b', 'a'] }),
    ]],
    ['a key of each writer is read', [
      begin,
      wrote('a', [2, 4], [set('a', 'a')]),
      wrote('b', [3, 5], [set('b', 'b')]),
      read('r', [6, 7], { ...begun, a: 'a', b: 'b' }),
    ]],
    ['a write is read while it is under way', [
      begin,
      wrote('a', [2, 9], [increment, append]),
      read('r1', [3, 4], begun),
      read('r2', [5, 6], { ...begun, n: 1, [ORDER]: ['begin', 'a'] }),
    ]],
    ['an outage left it open what became of a write, and it was done', [
      begin,
      wrote('a', [2, 3], [increment, append], OUTAGE),
      read('r', [4, 5], { user: 'u1', n: 1, [ORDER]: ['begin', 'a'] }),
    ]],
    ['an outage left it open what became of a write, and it was not done', [
      begin,
      wrote('a', [2, 3], [increment, append], OUTAGE),
      read('r', [4, 5], begun),
    ]],
    ['a write without an answer was done late', [
      begin,
      wrote('a', [2, 3], [append], { status: 0 }),
      wrote('b', [4, 5], [append]),
      read('r', [6, 7], { user: 'u1', [ORDER]: ['begin', 'b', 'a'] }),
    ]],
    ['a write that was refused was not done', [
      begin,
      wrote('a', [2, 3], [increment, append], CONFLICT),
      wrote('b', [2, 3], [set('b', 'b')], DROPPED),
      wrote('c', [2, 3], [set('c', 'c')], { events: ['missing'] }),
      read('r', [4, 5], begun),
    ]],
    ['a write was told that its outage left it open, and the session that goes on has it', [
      begin,
      wrote('a', [2, 5], [append], { ...OUTAGE, isExplicit: true, refusal: 'ERR_STORE_UNAVAILABLE' }),
      signIn('end', [3, 4]),
      read('r', [6, 7], { ...begun, [ORDER]: ['begin', 'a', 'end'] }, { token: 'S' }),
    ]],
    ['a value was taken by one, and a newer one left by another', [
      begin,
      wrote('a', [2, 3], [set('x', 'a1'), append]),
      wrote('b', [4, 9], [take('x'), append], { isExplicit: true, taken: ['a1'] }),
      wrote('c', [4, 9], [set('x', 'c1'), append]),
      wrote('d', [4, 9], [take('x'), append], { taken: ['a1'] }),
      read('r', [10, 11], { user: 'u1', x: 'c1', [ORDER]: ['begin', 'a', 'b', 'c', 'd'] }),
    ]],
    ['two takes of one request gave it two values', [
      begin,
      wrote('a', [2, 3], [take('x'), set('x', 'a1'), take('x'), append], { isExplicit: true, taken: [null, 'a1'] }),
      read('r', [4, 5], { user: 'u1', [ORDER]: ['begin', 'a'] }),
    ]],
    ['after the end nothing is read and nothing acknowledged', [
      begin,
      signOut('end', [2, 5]),
      read('r1', [3, 4], {}),
      wrote('a', [3, 6], [append]),
      wrote('b', [6, 7], [append], DROPPED),
      read('r2', [8, 9], {}),
    ]],
    ['an end that met an outage is repeated', [
      begin,
      signOut('end1', [2, 3], { ...OUTAGE, setCookie: undefined }),
      read('r', [4, 5], {}),
      signOut('end2', [6, 7]),
    ]],
    ['the session goes on under its new token', [
      begin,
      wrote('a', [2, 4], [append]),
      signIn('end', [3, 6]),
      wrote('b', [4, 7], [append]),
      wrote('c', [7, 8], [append], DROPPED),
      wrote('d', [7, 8], [append], { token: 'S' }),
      read('r1', [5, 6], { ...begun, [ORDER]: ['begin', 'a'] }),
      read('r2', [9, 10], {}),
      read('r3', [9, 10], { ...begun, [ORDER]: ['begin', 'a', 'b', 'end', 'd'] }, { token: 'S' }),
    ]],
    ['a sign-in that met an outage is repeated and starts afresh', [
      begin,
      wrote('a', [2, 4], [append]),
      signIn('end1', [3, 6], { ...OUTAGE, setCookie: undefined }),
      signIn('end2', [7, 8]),
      read('r', [9, 10], { [ORDER]: ['end2'] }, { token: 'S' }),
    ]],
    ['a sign-in that met an outage is repeated and goes on', [
      begin,
      wrote('a', [2, 4], [append]),
      signIn('end1', [3, 6], { ...OUTAGE, setCookie: undefined }),
      signIn('end2', [7, 8]),
      read('r', [9, 10], { ...begun, [ORDER]: ['begin', 'a', 'end2'] }, { token: 'S' }),
    ]],
  ])('%s', (_, history) => {
    expect(findFaults(history)).toEqual([])
  }) // prettier-ignore
})

describe('A fault is found when', () => {
  it.each<[string, Entry[], string[]]>([
    ['a key is lost', [
      begin,
      wrote('a', [2, 3], [set('a', 'a')]),
      read('r', [4, 5], begun),
    ], ['r read no a: a is lost']],
    ['a key holds what nobody set', [
      begin,
      wrote('a', [2, 3], [set('a', 'a')]),
      read('r', [4, 5], { ...begun, a: 'b' }),
    ], ['r read a = "b", which nobody wrote']],
    ['a key is there that nobody wrote', [
      begin,
      read('r', [2, 3], { ...begun, a: 'a' }),
    ], [
      'r read a = "a", which nobody wrote',
      'r read a = "a", but nothing follows from its writers in order',
    ]],
    ['the session is gone', [
      begin,
      read('r', [2, 3], {}),
    ], ['r read no user: begin is lost', 'r read no begin in order: it is lost']],
    ['the session is gone, though its end was refused', [
      begin,
      signIn('end', [2, 3], { ...CONFLICT, setCookie: undefined }),
      read('r', [4, 5], {}),
    ], ['r read no user: begin is lost', 'r read no begin in order: it is lost']],
    ['a count is too low', [
      begin,
      wrote('a', [2, 3], [increment]),
      wrote('b', [2, 3], [increment]),
      read('r', [4, 5], { ...begun, n: 1 }),
    ], ['r read n = 1, with 2 acknowledged of 2 asked']],
    ['a count is too high', [
      begin,
      wrote('a', [2, 3], [increment, increment]),
      wrote('b', [2, 3], [increment], OUTAGE),
      read('r', [4, 5], { ...begun, n: 4 }),
    ], ['r read n = 4, with 2 acknowledged of 3 asked']],
    ['a writer is lost', [
      begin,
      wrote('a', [2, 3], [append]),
      read('r', [4, 5], begun),
    ], ['r read no a in order: it is lost']],
    ['a write was done twice', [
      begin,
      wrote('a', [2, 3], [append]),
      read('r', [4, 5], { user: 'u1', [ORDER]: ['begin', 'a', 'a'] }),
    ], ['r read a in order twice']],
    ['a write was done after an outage, and twice', [
      begin,
      wrote('a', [2, 3], [append], OUTAGE),
      read('r', [4, 5], { user: 'u1', [ORDER]: ['begin', 'a', 'a'] }),
    ], ['r read a in order twice']],
    ['a write was refused and done all the same', [
      begin,
      wrote('a', [2, 3], [append], CONFLICT),
      wrote('b', [2, 3], [append], DROPPED),
      read('r', [4, 5], { user: 'u1', [ORDER]: ['begin', 'a', 'b'] }),
    ], [
      'r read a in order, which was not asked, was refused or came too late',
      'r read b in order, which was not asked, was refused or came too late',
      'r read order = ["begin","a","b"], but ["begin"] follows from its writers in order',
    ]],
    ['a write is read before it began', [
      begin,
      read('r', [2, 3], { user: 'u1', [ORDER]: ['begin', 'a'] }),
      wrote('a', [4, 5], [append]),
    ], [
      'r read a in order, which was not asked, was refused or came too late',
      'r read order = ["begin","a"], but ["begin"] follows from its writers in order',
    ]],
    ['a writer comes before one that had been acknowledged when it began', [
      begin,
      wrote('a', [2, 3], [append]),
      wrote('b', [4, 5], [append]),
      read('r', [6, 7], { user: 'u1', [ORDER]: ['begin', 'b', 'a'] }),
    ], ['r read a behind b, which began when it had been acknowledged']],
    ['a key is not what its last writer made it', [
      begin,
      wrote('a', [2, 4], [set('x', 'a1'), append]),
      wrote('b', [2, 4], [set('x', 'b1'), append]),
      wrote('c', [2, 4], [remove('y'), increment, append]),
      read('r', [6, 7], { user: 'u1', x: 'a1', n: 2, [ORDER]: ['begin', 'a', 'b', 'c'] }),
    ], [
      'r read n = 2, with 1 acknowledged of 1 asked',
      'r read x = "a1", but "b1" follows from its writers in order',
      'r read n = 2, but 1 follows from its writers in order',
    ]],
    ['a key that was deleted is back', [
      begin,
      wrote('a', [2, 3], [set('x', 'a1'), append]),
      wrote('b', [4, 5], [remove('x'), append]),
      read('r', [6, 7], { user: 'u1', x: 'a1', [ORDER]: ['begin', 'a', 'b'] }),
    ], ['r read x = "a1", but nothing follows from its writers in order']],
    ['a value was handed out twice', [
      begin,
      wrote('a', [2, 3], [set('x', 'a1')]),
      wrote('b', [4, 9], [take('x')], { isExplicit: true, taken: ['a1'] }),
      wrote('c', [4, 9], [take('x')], { isExplicit: true, taken: ['a1'] }),
    ], ['c was handed out a1, and b was, too']],
    ['a value was taken that was gone by then', [
      begin,
      wrote('a', [2, 3], [set('x', 'a1'), append]),
      wrote('b', [4, 9], [set('x', 'b1'), append]),
      wrote('c', [4, 9], [take('x'), append], { isExplicit: true, taken: ['a1'] }),
      read('r', [10, 11], { user: 'u1', x: 'b1', [ORDER]: ['begin', 'a', 'b', 'c'] }),
    ], ['r read c taking a1 from x, gone by then']],
    ['a state is read that an earlier reader had seen pass', [
      begin,
      wrote('a', [2, 9], [append]),
      read('r1', [3, 4], { user: 'u1', [ORDER]: ['begin', 'a'] }),
      read('r2', [5, 6], begun),
    ], ['r2 read an older state than r1 before it']],
    ['two readers saw two orders', [
      begin,
      wrote('a', [2, 9], [append]),
      wrote('b', [2, 9], [append]),
      read('r1', [3, 4], { user: 'u1', [ORDER]: ['begin', 'a'] }),
      read('r2', [5, 6], { user: 'u1', [ORDER]: ['begin', 'b', 'a'] }),
    ], ['r2 and r1 read the writers in two orders']],
    ['a session is read after its end', [
      begin,
      signOut('end', [2, 3]),
      read('r', [4, 5], begun),
    ], ['r read, though it began after end had ended the session']],
    ['a write is acknowledged after the end', [
      begin,
      signIn('end', [2, 3]),
      wrote('a', [4, 5], [append]),
    ], ['a wrote, though it began after end had ended the session']],
    ['a write after the end got into the session that goes on', [
      begin,
      signIn('end', [2, 3]),
      wrote('a', [4, 5], [append], OUTAGE),
      read('r', [6, 7], { ...begun, [ORDER]: ['begin', 'a', 'end'] }, { token: 'S' }),
    ], [
      'r read a in order, which was not asked, was refused or came too late',
      'r read order = ["begin","a","end"], but ["begin","end"] follows from its writers in order',
    ]],
    ...TOLD_NOTHING.map(([how, told]): [string, Entry[], string[]] => [
      `${how} told a write that nothing was written, and the session that goes on has it`, [
      begin,
      wrote('a', [2, 5], [append], told),
      signIn('end', [3, 4]),
      read('r', [6, 7], { ...begun, [ORDER]: ['begin', 'a', 'end'] }, { token: 'S' }),
    ], [
      'r read a in order, which was not asked, was refused or came too late',
      'r read order = ["begin","a","end"], but ["begin","end"] follows from its writers in order',
    ]]),
    ['what came between is not in the session that goes on', [
      begin,
      wrote('a', [2, 4], [append]),
      signIn('end', [3, 6]),
      read('r', [7, 8], { ...begun, [ORDER]: ['begin', 'end'] }, { token: 'S' }),
    ], ['r read no a in order: it is lost']],
    ['a writer sets a cookie', [
      begin,
      wrote('a', [2, 3], [append], { setCookie: 'S' }),
      wrote('b', [2, 3], [append], { ...DROPPED, setCookie: '' }),
    ], [
      'a only read or wrote, and its response set a cookie',
      'b only read or wrote, and its response set a cookie',
    ]],
  ])('%s', (_, history, faults) => {
    expect(findFaults(history)).toEqual(faults)
  }) // prettier-ignore
})
