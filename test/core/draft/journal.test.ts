import { describe, expect, it } from 'vitest'
import {
  regenerates,
  replay,
  setsTimeouts,
  signInOf,
  stepsBesideSignIn,
  textAfter,
  timeoutsAfter,
  type SignInStep,
  type Step,
} from '../../../src/core/draft/journal.ts'
import { SessionDataError } from '../../../src/core/errors.ts'

type Texts = Record<string, string>

const clear: Step = { type: 'clear' }
const set = (key: string, text?: string): Step => ({ type: 'set', key, text })
const take = (key: string, text?: string): Step =>
  text === undefined ? { type: 'take', key } : { type: 'take', key, first: { text } }
const update = (key: string, fn: (current: any) => unknown): Step => ({ type: 'update', key, fn })
const increment = (n = 0) => n + 1
const signIn = (userId: string, more: Partial<SignInStep> = {}): SignInStep => ({
  type: 'sign-in',
  userId,
  label: undefined,
  keep: new Set(),
  timeouts: { deadline: 1, idleTimeout: undefined, persistent: undefined },
  ...more,
})
/** Over another user's session. */
const signInOver = (...keep: string[]) => signIn('bob', { keep: new Set(keep), isOverAnother: true })

function apply(steps: Step[], base: Texts) {
  const { texts, ...rest } = replay(steps, new Map(Object.entries(base)))
  return { texts: Object.fromEntries(texts), ...rest }
}

describe('replaying changes on the newest record', () => {
  it.each<[string, Step[], Texts, Texts]>([
    ['a set writes', [set('a', '1')], {}, { a: '1' }],
    ['a set overwrites what another request wrote', [set('a', '1')], { a: '2' }, { a: '1' }],
    ['a delete removes', [set('a')], { a: '2' }, {}],
    ['an update counts on from the newest value', [update('a', increment)], { a: '41' }, { a: '42' }],
    ['an update starts from nothing', [update('a', increment)], {}, { a: '1' }],
    ['an update that returns nothing removes', [update('a', () => undefined)], { a: '1' }, {}],
    ['the last set wins', [set('a', '1'), set('a', '2')], {}, { a: '2' }],
    ['set, then delete', [set('a', '1'), set('a')], { a: '0' }, {}],
    ['delete, then set', [set('a'), set('a', '1')], { a: '0' }, { a: '1' }],
    ['update, then set', [update('a', increment), set('a', '5')], { a: '1' }, { a: '5' }],
    [
      'set, then update: works on what was set',
      [set('a', '5'), update('a', increment)],
      { a: '1' },
      { a: '6' },
    ],
    ['delete, then update: starts from nothing', [set('a'), update('a', increment)], { a: '7' }, { a: '1' }],
    ['update twice', [update('a', increment), update('a', (n) => n * 10)], { a: '1' }, { a: '20' }],
    [
      'take, then update: starts from nothing',
      [take('a', '7'), update('a', increment)],
      { a: '7' },
      { a: '1' },
    ],
    ['set, then take', [set('a', '1'), take('a', '1')], { a: '0' }, {}],
    [
      'keys without operations come from the newest record',
      [set('a', '1')],
      { b: '2', c: '3' },
      { a: '1', b: '2', c: '3' },
    ],
    ['never a deep merge', [set('a', '{"x":1}')], { a: '{"y":2}' }, { a: '{"x":1}' }],
    ['never a deep merge of lists', [set('a', '[1]')], { a: '[2,3]' }, { a: '[1]' }],
    ['clear empties the newest record too', [clear], { a: '1', b: '2' }, {}],
    ['clear, then set', [clear, set('a', '1')], { a: '0', b: '2' }, { a: '1' }],
    ['set, then clear', [set('a', '1'), clear], { b: '2' }, {}],
    ['update, then clear', [update('a', increment), clear], { a: '1' }, {}],
    ['clear, then update: starts from nothing', [clear, update('a', increment)], { a: '7' }, { a: '1' }],
    [
      'update, clear, update: starts from nothing',
      [update('a', increment), clear, update('a', increment)],
      { a: '7' },
      { a: '1' },
    ],
    [
      'clear twice',
      [set('a', '1'), clear, set('b', '2'), clear, set('c', '3')],
      { a: '0', d: '4' },
      { c: '3' },
    ],
    [
      '__proto__ is a key like any other',
      [set('__proto__', '{"x":1}'), update('constructor', increment)],
      JSON.parse('{"__proto__":"0","toString":"1"}'),
      JSON.parse('{"__proto__":"{\\"x\\":1}","toString":"1","constructor":"1"}'),
    ],
  ])('E1: %s', (_, operations, base, expected) => {
    const before = new Map(Object.entries(base))
    const result = replay(operations, before)
    expect(new Map(result.texts)).toEqual(new Map(Object.entries(expected)))
    expect(before).toEqual(new Map(Object.entries(base)))
    expect(result.spent).toBe(false)
  })

  it.each<[string, Step]>([
    ['set', set('a', '5')],
    ['delete', set('a')],
    ['clear', clear],
  ])('E1: a %s makes what came before it moot: no update is run again', (_, operation) => {
    const never = update('a', () => expect.unreachable())
    for (const before of [[never], [set('a', '1'), never], [never, set('a', '1'), never]]) {
      expect(() => apply([...before, operation], { a: '7' })).not.toThrow()
    }
  })

  it('E1: gives the same on the same base, however often it is replayed', () => {
    const steps = [set('a', '1'), update('b', increment), take('c', '3')]
    for (const b of ['1', '1', '5', '1']) {
      expect(apply(steps, { b, c: '3' }).texts).toEqual({ a: '1', b: String(Number(b) + 1) })
    }
  })

  it('E1: an update gives its function a value of its own', () => {
    const steps = [update('a', (list: number[]) => (list.push(9), list))]
    const base = { a: '[1]' }
    expect(apply(steps, base).texts).toEqual({ a: '[1,9]' })
    expect(apply(steps, base).texts).toEqual({ a: '[1,9]' })
  })

  it('E1: an update that ran is not run again on the same value, but is on a newer one', () => {
    let runs = 0
    const step: Step = {
      type: 'update',
      key: 'a',
      fn: (n: number) => (runs++, n + 1),
      first: { input: '1', value: 2, output: '2' },
    }
    expect(apply([step], { a: '1' }).texts).toEqual({ a: '2' })
    expect(runs).toBe(0)
    expect(apply([step], { a: '5' }).texts).toEqual({ a: '6' })
    expect(runs).toBe(1)
  })

  it('E1: the result that is used again may be nothing', () => {
    const step: Step = {
      type: 'update',
      key: 'a',
      fn: () => expect.unreachable(),
      first: { input: '1', value: undefined, output: undefined },
    }
    expect(apply([step], { a: '1' }).texts).toEqual({})
  })

  it('E1: an update that throws, or returns what is no JSON, on the newest value fails the replay', () => {
    const failure = new Error('no such thing')
    const throws = update('a', () => {
      throw failure
    })
    expect(() => apply([throws], {})).toThrow(failure)
    expect(() => apply([update('a', async () => 1)], {})).toThrow(TypeError)
    expect(() => apply([update('a', () => Number.NaN)], {})).toThrow(SessionDataError)
  })
})

describe('taking', () => {
  it.each<[string, Step[], Texts, Texts, boolean]>([
    ['removes the value that it returned', [take('a', '1')], { a: '1', b: '2' }, { b: '2' }, false],
    ['leaves a newer value, and counts as spent', [take('a', '1')], { a: '2' }, { a: '2' }, true],
    ['of what is gone already counts as spent', [take('a', '1')], {}, {}, true],
    ['leaves a newer value that looks alike', [take('a', '1')], { a: '"1"' }, { a: '"1"' }, true],
    ['then setting: writes', [take('a', '1'), set('a', '5')], { a: '1' }, { a: '5' }, false],
    ['then setting: still counts as spent', [take('a', '1'), set('a', '5')], { a: '2' }, { a: '5' }, true],
    [
      'then setting twice: still counts as spent',
      [take('a', '1'), set('a', '5'), set('a', '6')],
      {},
      { a: '6' },
      true,
    ],
    ['then deleting: still counts as spent', [take('a', '1'), set('a')], {}, {}, true],
    ['then clearing: still counts as spent', [take('a', '1'), clear], { a: '2', b: '3' }, {}, true],
    ['then clearing: is not spent when it was there', [take('a', '1'), clear], { a: '1' }, {}, false],
    ['after a set: claims nothing of others', [set('a', '1'), take('a', '1')], { a: '2' }, {}, false],
    ['after a clear: claims nothing of others', [clear, take('a')], { a: '2' }, {}, false],
    ['one of two that is gone counts as spent', [take('a', '1'), take('b', '2')], { a: '1' }, {}, true],
    ['the other of two counts as well', [take('a', '1'), take('b', '2')], { b: '2' }, {}, true],
    [
      'then updating: on a newer value that stays',
      [take('a', '1'), update('a', increment)],
      { a: '5' },
      { a: '6' },
      true,
    ],
  ])('E1: %s', (_, operations, base, texts, spent) => {
    expect(apply(operations, base)).toMatchObject({ texts, spent })
  })
})

describe('whether anything changed', () => {
  it.each<[string, Step[], Texts, boolean]>([
    ['a set to another value', [set('a', '2')], { a: '1' }, true],
    ['a set of a new key', [set('b', '1')], { a: '1' }, true],
    ['a set to an equal value', [set('a', '1')], { a: '1' }, false],
    ['a delete', [set('a')], { a: '1' }, true],
    ['a delete of what is not there', [set('b')], { a: '1' }, false],
    ['an update to an equal value', [update('a', (n) => n)], { a: '1' }, false],
    ['a set there and back', [set('a', '2'), set('a', '1')], { a: '1' }, false],
    ['a delete and an equal set', [set('a'), set('a', '1')], { a: '1' }, false],
    ['a swap of two values', [set('a', '2'), set('b', '1')], { a: '1', b: '2' }, true],
    ['one key for another', [set('a'), set('b', '1')], { a: '1' }, true],
    ['a clear', [clear], { a: '1' }, true],
    ['a clear of nothing', [clear], {}, false],
    ['a clear and all of it set again', [clear, set('a', '1')], { a: '1' }, false],
    ['a take of what is gone', [take('a', '1')], {}, false],
  ])('D2: %s', (_, operations, base, changed) => {
    expect(apply(operations, base).changed).toBe(changed)
  })
})

describe('what steps come to', () => {
  it('says what a key is after them', () => {
    const steps = [set('a', '5'), update('a', increment), update('a', increment), set('b', '1')]
    expect(textAfter(steps, 'a', '1')).toBe('7')
    expect(textAfter(steps.slice(0, 2), 'a', '1')).toBe('6')
    expect(textAfter([...steps, set('a', '9')], 'a', '1')).toBe('9')
    expect(textAfter(steps, 'b', '0')).toBe('1')
    expect(textAfter(steps, 'c', '0')).toBe('0')
    expect(textAfter([...steps, clear], 'c', '0')).toBeUndefined()
  })

  const idle: Step = { type: 'timeouts', timeouts: { idleTimeout: 60, persistent: true } }
  const regenerate: Step = { type: 'regenerate' }

  it('S7, E9: folds a new token, timeouts and who signed in last out of them', () => {
    const folded = (steps: Step[]) => [regenerates(steps), setsTimeouts(steps), signInOf(steps)?.userId]
    expect(folded([])).toEqual([false, false, undefined])
    expect(folded([set('a', '5'), clear])).toEqual([false, false, undefined])
    expect(folded([set('a', '5'), idle, clear])).toEqual([false, true, undefined])
    expect(folded([regenerate, set('a', '5')])).toEqual([true, false, undefined])
    expect(folded([signIn('alice'), set('a', '5')])).toEqual([true, false, 'alice'])
    expect(folded([signIn('alice'), idle, signIn('bob'), clear])).toEqual([true, true, 'bob'])
  })

  const timeouts = { deadline: 7, idleTimeout: undefined, persistent: undefined }
  const timed = (own: Partial<typeof timeouts> | object) =>
    signIn('alice', { timeouts: { ...timeouts, ...own } })
  const lasting: Step = { type: 'timeouts', timeouts: { idleTimeout: false, deadline: 5 } }

  it.each<[string, Step[], object]>([
    ['nothing leaves them', [set('a', '5'), clear, regenerate], {}],
    ['setTimeouts changes what it names, and nothing else', [idle], { idleTimeout: 60, persistent: true }],
    ['each is as it was said last', [idle, lasting], { idleTimeout: false, persistent: true, deadline: 5 }],
    ['a sign-in leaves nothing over', [timed({})], timeouts],
    ['a sign-in has its own', [timed({ idleTimeout: 90 })], { ...timeouts, idleTimeout: 90 }],
    ['setTimeouts before a sign-in is behind it', [idle, timed({})], timeouts],
    ['setTimeouts after it counts', [timed({}), idle], { ...timeouts, idleTimeout: 60, persistent: true }],
    [
      'so does the last of two sign-ins',
      [timed({ persistent: true }), timed({ deadline: 8 })],
      { ...timeouts, deadline: 8 },
    ],
    [
      'between two sign-ins all is moot',
      [timed({}), idle, lasting, timed({ persistent: false })],
      { ...timeouts, persistent: false },
    ],
  ])('C2, C5: the timeouts after them: %s', (_, steps, expected) => {
    const before = { deadline: 9, idleTimeout: 30, persistent: false }
    expect(timeoutsAfter(steps, before)).toEqual({ ...before, ...expected })
    expect(timeoutsAfter(steps, { ...before, signedIn: 'not a timeout' } as never)).not.toHaveProperty(
      'signedIn',
    )
  })

  it('D2: none of these changes the data', () => {
    const steps: Step[] = [idle, regenerate, signIn('alice')]
    expect(apply(steps, { a: '1' })).toEqual({ texts: { a: '1' }, changed: false, spent: false })
  })
})

describe('a sign-in among the steps', () => {
  it.each<[string, Step[], Texts, Texts]>([
    ['over nobody keeps all', [signIn('alice')], { a: '1', b: '2' }, { a: '1', b: '2' }],
    ['over his own keeps all', [signIn('alice', { isOverAnother: false })], { a: '1' }, { a: '1' }],
    ['over another leaves nothing', [signInOver()], { a: '1', b: '2' }, {}],
    ['over another leaves what it keeps', [signInOver('a', 'c')], { a: '1', b: '2' }, { a: '1' }],
    ['a set before it is gone', [set('a', '5'), signInOver()], { a: '1' }, {}],
    [
      'a set before it, of a key that it keeps, stays',
      [set('a', '5'), signInOver('a')],
      { a: '1' },
      { a: '5' },
    ],
    ['a set after it stays', [signInOver(), set('a', '5')], { a: '1', b: '2' }, { a: '5' }],
    ['an update before it is gone', [update('a', increment), signInOver()], { a: '1' }, {}],
    [
      'an update before it, of a key that it keeps, stays',
      [update('a', increment), signInOver('a')],
      { a: '1' },
      { a: '2' },
    ],
    [
      'an update after it starts from nothing',
      [signInOver(), update('a', increment)],
      { a: '7' },
      { a: '1' },
    ],
    [
      'an update after it, of a key that it keeps, counts on',
      [signInOver('a'), update('a', increment)],
      { a: '7' },
      { a: '8' },
    ],
    ['a clear before it leaves nothing to keep', [clear, signInOver('a')], { a: '1' }, {}],
    ['a clear after it empties what it kept', [signInOver('a'), clear], { a: '1' }, {}],
    [
      'a clear between',
      [set('a', '5'), clear, set('b', '6'), signInOver('a', 'b')],
      { a: '1', b: '2' },
      { b: '6' },
    ],
    [
      'two: only what both keep is left',
      [signInOver('a', 'b'), signInOver('b', 'c')],
      { a: '1', b: '2', c: '3' },
      { b: '2' },
    ],
    ['two: what was set between is gone', [signInOver(), set('a', '5'), signInOver()], { a: '1' }, {}],
    [
      'two: what was set between and is kept stays',
      [signInOver(), set('a', '5'), signInOver('a')],
      { a: '1' },
      { a: '5' },
    ],
    [
      'two of one user: what was set between stays',
      [signInOver(), set('a', '5'), signIn('bob')],
      { b: '1' },
      { a: '5' },
    ],
    [
      '__proto__ is kept like any other',
      [signInOver('__proto__')],
      JSON.parse('{"__proto__":"1","a":"2"}'),
      JSON.parse('{"__proto__":"1"}'),
    ],
  ])('E11: %s', (_, steps, base, expected) => {
    const before = new Map(Object.entries(base))
    const { texts, spent } = replay(steps, before)
    expect(new Map(texts)).toEqual(new Map(Object.entries(expected)))
    expect(before).toEqual(new Map(Object.entries(base)))
    expect(spent).toBe(false)
    for (const key of ['a', 'b', 'c']) expect(textAfter(steps, key, base[key])).toBe(expected[key])
  })

  it.each<[string, Step[], Texts, Texts, boolean]>([
    [
      'a take before it, whose value is there, is not spent',
      [take('a', '1'), signInOver()],
      { a: '1' },
      {},
      false,
    ],
    ['a take before it, whose value is gone, is spent', [take('a', '1'), signInOver()], {}, {}, true],
    [
      'a take before it, whose value is a newer one, is spent',
      [take('a', '1'), signInOver('a')],
      { a: '2' },
      { a: '2' },
      true,
    ],
    ['a take after it claims nothing of another’s', [signInOver(), take('a')], { a: '2' }, {}, false],
    [
      'a take after it, of a key that it keeps, claims its value',
      [signInOver('a'), take('a', '1')],
      { a: '2' },
      { a: '2' },
      true,
    ],
    [
      'a take after it, of a value that is there, takes it',
      [signInOver('a'), take('a', '1')],
      { a: '1' },
      {},
      false,
    ],
  ])('E1, E11: %s', (_, steps, base, texts, spent) => {
    expect(apply(steps, base)).toMatchObject({ texts, spent })
  })

  it('D2: over another is a change where it leaves less than there was, and only there', () => {
    expect(apply([signInOver()], { a: '1' }).changed).toBe(true)
    expect(apply([signInOver('a')], { a: '1' }).changed).toBe(false)
    expect(apply([signInOver()], {}).changed).toBe(false)
    expect(apply([signInOver(), set('a', '1')], { a: '1' }).changed).toBe(false)
  })

  it('E11: makes what came before it moot: no update is run again, but on a key that it keeps', () => {
    const never = update('a', () => expect.unreachable())
    expect(() => apply([never, signInOver()], { a: '7' })).not.toThrow()
    expect(() => apply([never, signInOver('a')], { a: '7' })).toThrow()
    expect(() => apply([never, signIn('alice')], { a: '7' })).toThrow()
  })

  it('E7: what is left to do where another request signed the same user in first is all but the sign-in', () => {
    const [before, after, idle] = [
      set('a', '1'),
      update('b', increment),
      { type: 'timeouts', timeouts: {} } as Step,
    ]
    expect(stepsBesideSignIn([before, signIn('alice'), after])).toEqual([before, after])
    expect(stepsBesideSignIn([before, { type: 'regenerate' }, signIn('alice'), idle, clear])).toEqual([
      before,
      idle,
      clear,
    ])
    expect(stepsBesideSignIn([before, after])).toEqual([before, after])
  })

  it('E7, E11: and nothing of what was done to another’s session', () => {
    const [before, between, after] = [set('a', '1'), set('b', '2'), set('c', '3')]
    expect(stepsBesideSignIn([before, signInOver('a'), after])).toEqual([after])
    expect(stepsBesideSignIn([before, signInOver(), between, signInOver(), after])).toEqual([after])
    expect(stepsBesideSignIn([before, signInOver(), between, signIn('bob'), after])).toEqual([between, after])
    expect(stepsBesideSignIn([before, signIn('alice'), between, signInOver(), after])).toEqual([after])
  })
})

describe('running an update', () => {
  /** Its result as JSON text. */
  const run = (fn: (current: any) => unknown, current: unknown) =>
    textAfter([update('a', fn)], 'a', JSON.stringify(current))

  it('E1: passes the value in and out, and throws what the function throws', () => {
    expect(run((n: number) => n + 1, 1)).toBe('2')
    const failure = { not: 'an Error' }
    const fail = () => {
      throw failure
    }
    expect(() => run(fail, 1)).toThrow(expect.toSatisfy((thrown) => thrown === failure))
  })

  it('E1: refuses a function that returns a promise, or anything that can be awaited', () => {
    for (const fn of [
      async () => 1,
      () => thenable(() => {}),
      () =>
        Object.assign(
          () => {},
          thenable(() => {}),
        ),
    ]) {
      expect(() => run(fn, 1)).toThrow(
        new TypeError('update: expected a synchronous function, got one that returns a promise'),
      )
    }
    for (const value of [null, undefined, 0, '', thenable('later')]) {
      expect(run(() => value, 1)).toBe(JSON.stringify(value))
    }
  })

  it('F6: the promise that it refuses cannot become an unhandled rejection', async () => {
    let isHandled = false
    const promise = thenable((_resolved: unknown, rejected: unknown) => {
      isHandled ||= typeof rejected === 'function'
      return Promise.resolve()
    })
    expect(() => run(() => promise, 1)).toThrow(TypeError)
    await Promise.resolve()
    expect(isHandled).toBe(true)
  })
})

function thenable(then: unknown): object {
  return { then } // oxlint-disable-line unicorn/no-thenable
}
