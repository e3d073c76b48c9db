import { describe, expect, it } from 'vitest'
import { SessionDataError } from '../../../src/core/errors.ts'
import { createSessionManager } from '../../../src/core/manager.ts'
import { MemoryStore } from '../../../src/core/stores/memory-store.ts'
import type { SessionTexts } from '../../../src/core/record/record.ts'
import { Draft, type Begun } from '../../../src/core/draft/draft.ts'
import { replay, type SignInStep } from '../../../src/core/draft/journal.ts'
import { seeded } from '../../support/seeded.ts'

type Data = Record<string, unknown>

const increment = (n = 0) => n + 1
const textsOf = (data: Data): SessionTexts =>
  new Map(Object.entries(data).map(([key, value]) => [key, JSON.stringify(value)]))
const dataOf = (texts: SessionTexts): Data =>
  Object.fromEntries([...texts].map(([key, text]) => [key, JSON.parse(text)]))

/** A draft whose session is loaded. */
function loaded(data: Data): Draft {
  const draft = new Draft()
  draft.rebase(textsOf(data))
  return draft
}

/** As the commit does: replays the journal on the newest record; `undefined` when there are no changes. */
function commit(
  draft: Draft,
  newest: Data,
  userId?: string,
): { data: Data; changed: boolean; spent: boolean } | undefined {
  draft.settle()
  if (!draft.hasSteps) return undefined
  const journal = draft.send()
  const { texts, ...rest } = replay(journal.steps, textsOf(newest))
  draft.applied(journal, texts, userId)
  return { data: dataOf(texts), ...rest }
}

describe('reading a draft', () => {
  it('sees what was loaded and its own unsaved writes', () => {
    const draft = loaded({ a: 1, b: { c: [2] } })
    draft.write('a', 5)
    draft.write('d', null)
    draft.write('b', undefined)
    expect(['a', 'b', 'd', 'e'].map((key) => draft.read(key))).toEqual([5, undefined, null, undefined])
    expect(['a', 'b', 'd', 'e'].map((key) => draft.has(key))).toEqual([true, false, true, false])
    expect(draft.keys().toSorted()).toEqual(['a', 'd'])
  })

  it('hands out the same object every time', () => {
    const draft = loaded({ cart: { items: [] } })
    expect(draft.read('cart')).toBe(draft.read('cart'))
    const set = {}
    draft.write('set', set)
    expect(draft.read('set')).toBe(set)
  })

  it('A2: answers before the load for keys that were written, and only for them', () => {
    const draft = new Draft()
    draft.write('set', 1)
    draft.write('deleted', undefined)
    draft.update('updated', increment)
    expect(['set', 'deleted', 'updated', 'other'].map((key) => draft.holds(key))).toEqual([
      true,
      true,
      false,
      false,
    ])
    draft.clear()
    expect(draft.holds('set')).toBe(false)
  })

  it('does not mistake the members of Object.prototype for keys', () => {
    const draft = loaded({})
    for (const key of ['__proto__', 'constructor', 'toString']) {
      expect([draft.read(key), draft.has(key), draft.holds(key)]).toEqual([undefined, false, false])
    }
    draft.write('__proto__', { polluted: true })
    expect(draft.keys()).toEqual(['__proto__'])
    expect({}).not.toHaveProperty('polluted')
  })
})

describe('what a request did', () => {
  it('D2: reading alone is no change', () => {
    const draft = loaded({ cart: { items: [1] }, n: 1, nothing: null })
    for (const key of draft.keys()) draft.read(key)
    expect(commit(draft, {})).toBeUndefined()
    expect(draft.discard()).toBe(false)
  })

  it('D2: a set to an equal value is no change', () => {
    const draft = loaded({ cart: { items: [1] }, n: 1 })
    draft.write('cart', { items: [1] })
    draft.write('n', 1)
    expect(commit(draft, { cart: { items: [1] }, n: 1 })).toMatchObject({ changed: false })
  })

  it.each<[string, (draft: Draft) => any]>([
    ['loaded', (draft) => draft.read('cart')],
    ['set', (draft) => (draft.write('cart', { items: [1] }), draft.read('cart'))],
    ['updated', (draft) => draft.update('cart', (cart) => cart).finish()],
  ])('D2: a nested change to a value that was %s is a set of that key, and of no other', (_, hold) => {
    const draft = loaded({ cart: { items: [1] }, other: { a: 1 } })
    draft.read('other')
    hold(draft).items.push(2)
    const newest = { cart: { items: [7], more: true }, other: { a: 2 } }
    expect(commit(draft, newest)?.data).toEqual({ cart: { items: [1, 2] }, other: { a: 2 } })
  })

  it('D2: a nested change that was taken back is no change', () => {
    const draft = loaded({ list: [1] })
    const list = draft.read('list') as number[]
    list.push(2)
    list.pop()
    expect(commit(draft, {})).toBeUndefined()
  })

  it('keeps the value that was set, not a draft: what counts is what it is at the commit', () => {
    const draft = loaded({})
    const list = [1]
    draft.write('list', list)
    list.push(2)
    expect(commit(draft, {})?.data).toEqual({ list: [1, 2] })
    list.push(3)
    expect(commit(draft, { list: [1, 2] })?.data).toEqual({ list: [1, 2, 3] })
    expect(commit(draft, {})).toBeUndefined()
  })

  it.each<[string, (draft: Draft) => unknown, Data]>([
    ['set', (draft) => draft.write('n', 10), { n: 11 }],
    ['delete', (draft) => draft.write('n', undefined), { n: 1 }],
    ['clear', (draft) => draft.clear(), { n: 1 }],
    ['update', (draft) => draft.update('n', () => 20).finish(), { n: 21 }],
    ['take', (draft) => draft.take('n').finish(), { n: 1 }],
  ])('E1: an update after a %s works on that value, also on a newer record', (_, before, data) => {
    const draft = loaded({ n: 5 })
    before(draft)
    expect(draft.update('n', increment).finish()).toBe(data.n)
    expect(draft.read('n')).toBe(data.n)
    const take = commit(draft, { n: 5 })
    expect(take?.data).toEqual(data)
  })

  it('E1: an update after a nested change works on the changed value', () => {
    const draft = loaded({ list: [1] })
    ;(draft.read('list') as number[]).push(2)
    expect(draft.update('list', (list: number[]) => [...list, 3]).finish()).toEqual([1, 2, 3])
    expect(commit(draft, { list: [9] })?.data).toEqual({ list: [1, 2, 3] })
  })

  it('E1: an update is replayed on a newer value, and its result used again on the same one', () => {
    let runs = 0
    const count = (n: number) => (runs++, n + 1)
    const draft = loaded({ n: 1 })
    expect(draft.update('n', count).finish()).toBe(2)
    draft.settle()
    expect(dataOf(replay(draft.send().steps, textsOf({ n: 1 })).texts)).toEqual({ n: 2 })
    expect(runs).toBe(1)
    expect(commit(draft, { n: 41 })?.data).toEqual({ n: 42 })
    expect(runs).toBe(2)
    expect(draft.read('n')).toBe(42)
  })

  it('E1: an update that throws is not recorded and leaves the value as it was', () => {
    const draft = loaded({ n: 1, list: [1] })
    const failure = new Error('no')
    const fail = () => {
      throw failure
    }
    const list = draft.read('list') as number[]
    expect(draft.update('n', fail).finish).toThrow(failure)
    expect(draft.update('list', fail).finish).toThrow(failure)
    expect(draft.update('n', async () => 5).finish).toThrow(TypeError)
    expect(draft.read('n')).toBe(1)
    expect(commit(draft, {})).toBeUndefined()
    list.push(2)
    expect(commit(draft, {})?.data).toEqual({ list: [1, 2] })
  })

  it('E1: an update that throws after a set leaves what was set', () => {
    const draft = loaded({})
    draft.write('n', 1)
    const fail = () => {
      throw new Error('no')
    }
    expect(draft.update('n', fail).finish).toThrow('no')
    expect(commit(draft, {})?.data).toEqual({ n: 1 })
  })

  it('E1: take deletes only the value that it returned', () => {
    const copies = Array.from({ length: 3 }, () => loaded({ flash: 'hello', other: 1 }))
    for (const draft of copies) {
      expect([draft.take('flash').finish(), draft.take('flash').finish(), draft.read('flash')]).toEqual([
        'hello',
        undefined,
        undefined,
      ])
    }
    const [first, second, third] = copies as [Draft, Draft, Draft]
    expect(commit(first, { flash: 'hello', other: 1 })).toMatchObject({ data: { other: 1 }, spent: false })
    expect(commit(second, { other: 1 })).toMatchObject({ data: { other: 1 }, spent: true })
    expect(commit(third, { flash: 'newer' })).toMatchObject({ data: { flash: 'newer' }, spent: true })
  })

  it('E1: a take that found nothing is no change and spends nothing', () => {
    const draft = loaded({})
    expect(draft.take('flash').finish()).toBeUndefined()
    expect(commit(draft, {})).toBeUndefined()
  })

  it('E1: a take of what this request set is that value', () => {
    const draft = loaded({ flash: 'old' })
    const value = { text: 'new' }
    draft.write('flash', value)
    expect(draft.take('flash').finish()).toBe(value)
    expect(commit(draft, { flash: 'newer' })).toMatchObject({ data: {}, spent: false })
  })

  it('E1: clear empties the newest record too, and what is set after it stays', () => {
    const draft = loaded({ a: 1, b: { c: 1 } })
    draft.read('b')
    draft.write('c', 1)
    draft.clear()
    draft.write('d', 2)
    expect(draft.keys()).toEqual(['d'])
    expect(commit(draft, { a: 1, e: 3 })?.data).toEqual({ d: 2 })
  })

  it('E1: a value held from before a clear is forgotten: changing it is no change', () => {
    const draft = loaded({ list: [1] })
    const list = draft.read('list') as number[]
    draft.clear()
    list.push(2)
    expect(commit(draft, { list: [1] })?.data).toEqual({})
  })

  it('D2: what was committed is not committed again over a newer value', () => {
    const draft = loaded({ a: 1, b: [1], c: 1, d: 1, e: 1 })
    draft.write('a', undefined)
    draft.write('b', [2])
    draft.update('c', increment).finish()
    draft.take('d').finish()
    draft.update('e', () => undefined).finish()
    expect(commit(draft, { a: 1, b: [1], c: 1, d: 1, e: 1 })?.data).toEqual({ b: [2], c: 2 })
    expect(commit(draft, { a: 9, b: [9], c: 9, d: 9, e: 9 })).toBeUndefined()
  })

  it('D7: what cannot be stored fails settling, not the write, and may be mended', () => {
    const draft = loaded({ n: 1 })
    draft.write('when', new Map())
    draft.write('n', 2)
    expect(() => draft.settle()).toThrow(SessionDataError)
    expect(() => draft.settle()).toThrow(/^when: expected JSON/)
    draft.write('when', 'now')
    expect(commit(draft, {})?.data).toEqual({ when: 'now', n: 2 })
  })

  it('D7: an update to what cannot be stored throws and is not recorded', () => {
    const draft = loaded({ n: 1 })
    expect(() => draft.update('n', () => new Map()).finish()).toThrow(
      /^n: expected JSON, got an instance of Map/,
    )
    expect(draft.read('n')).toBe(1)
    expect(commit(draft, { n: 1 })).toBeUndefined()
  })

  it('D3: discard forgets changes and values, and says whether there were changes', () => {
    const changes: ((draft: Draft) => unknown)[] = [
      (draft) => draft.write('n', 1),
      (draft) => draft.write('list', [1]),
      (draft) => (draft.read('list') as number[]).push(2),
      (draft) => draft.update('n', increment).finish(),
      (draft) => draft.take('n').finish(),
      (draft) => draft.clear(),
    ]
    for (const change of changes) {
      const draft = loaded({ n: 1, list: [1] })
      change(draft)
      expect(draft.discard()).toBe(true)
      expect(draft.read('n')).toBe(1)
      expect(draft.read('list')).toEqual([1])
      expect(draft.discard()).toBe(false)
      expect(commit(draft, {})).toBeUndefined()
    }
  })
})

describe('what was begun before the load', () => {
  it('E1: runs in order on what was loaded', () => {
    const draft = new Draft()
    const finish = [
      draft.update('n', increment),
      draft.update('n', (n) => n * 10),
      draft.take('n'),
      draft.take('n'),
      draft.update('n', increment),
    ]
    draft.rebase(textsOf({ n: 1 }))
    expect(finish.map((run) => run.finish())).toEqual([2, 20, 20, undefined, 1])
    expect(commit(draft, { n: 1, other: 2 })?.data).toEqual({ n: 1, other: 2 })
  })

  it('E1: is followed by what was set meanwhile', () => {
    const draft = new Draft()
    const finish = [draft.update('n', increment), draft.take('flash')]
    draft.write('n', 100)
    draft.write('flash', 'next')
    draft.rebase(textsOf({ n: 1, flash: 'first' }))
    expect(finish.map((run) => run.finish())).toEqual([2, 'first'])
    expect([draft.read('n'), draft.read('flash')]).toEqual([100, 'next'])
    expect(commit(draft, { n: 1, flash: 'first' })).toMatchObject({
      data: { n: 100, flash: 'next' },
      spent: false,
    })
  })

  it('E1: still sees what was loaded when a clear follows before the load', () => {
    const draft = new Draft()
    const finish = [
      draft.take('flash'),
      draft.update('n', increment),
      draft.update('n', increment),
      draft.take('n'),
    ]
    draft.clear()
    draft.rebase(textsOf({ n: 5, flash: 'hello' }))
    expect(finish.map((run) => run.finish())).toEqual(['hello', 6, 7, 7])
    expect(commit(draft, { n: 5, flash: 'hello' })?.data).toEqual({})
  })

  it('D3: leaves nothing behind when all was discarded before it ran', () => {
    for (const fn of [increment, () => ({ a: 1 }), () => Number.NaN]) {
      const draft = new Draft()
      const finish = [draft.update('n', fn), draft.take('flash')]
      draft.discard()
      for (const run of finish) run.finish()
      expect(draft.read('n')).toBeUndefined()
      expect(draft.keys()).toEqual([])
      expect(commit(draft, {})).toBeUndefined()
    }
  })
})

describe('changes made while a journal is sent', () => {
  /** A draft with `n: 1` set and on its way. */
  function sending() {
    const draft = loaded({ list: [1] })
    draft.write('n', 1)
    draft.settle()
    return { draft, journal: draft.send() }
  }

  it('E4: go into the next one, and are seen meanwhile', () => {
    const { draft, journal } = sending()
    draft.write('m', 2)
    expect(draft.update('n', increment).finish()).toBe(2)
    ;(draft.read('list') as number[]).push(2)
    draft.settle()
    expect(draft.send()).toBe(journal)
    expect(dataOf(replay(journal.steps, textsOf({ list: [1] })).texts)).toEqual({ list: [1], n: 1 })
    draft.applied(journal, textsOf({ list: [1], n: 1 }), undefined)
    expect([draft.read('n'), draft.read('m'), draft.read('list')]).toEqual([2, 2, [1, 2]])
    expect(commit(draft, { list: [1], n: 1 })?.data).toEqual({ list: [1, 2], n: 2, m: 2 })
    expect(commit(draft, {})).toBeUndefined()
  })

  it('E4: have a write id of their own', () => {
    const { draft, journal } = sending()
    draft.write('n', 2)
    draft.settle()
    draft.applied(journal, textsOf({ n: 1 }), undefined)
    expect(draft.send().writeId).not.toBe(journal.writeId)
  })

  it('E4: a journal that was not sent after all takes further changes', () => {
    const { draft, journal } = sending()
    draft.takeBack(journal)
    draft.write('m', 2)
    draft.settle()
    expect(commit(draft, {})?.data).toEqual({ n: 1, m: 2 })
  })

  it('E1: a clear meanwhile empties what the journal wrote, too', () => {
    const { draft, journal } = sending()
    draft.clear()
    expect(draft.keys()).toEqual([])
    draft.applied(journal, textsOf({ list: [1], n: 1 }), undefined)
    expect(commit(draft, { list: [1], n: 1 })?.data).toEqual({})
  })

  it('E1: a take meanwhile takes what the journal wrote', () => {
    const { draft, journal } = sending()
    expect(draft.take('n').finish()).toBe(1)
    draft.applied(journal, textsOf({ list: [1], n: 1 }), undefined)
    expect(draft.read('n')).toBeUndefined()
    expect(commit(draft, { list: [1], n: 1 })).toMatchObject({ data: { list: [1] }, spent: false })
  })

  it('E1: see what stood there when they were begun', () => {
    const draft = loaded({ n: 1 })
    const update = draft.update('n', increment)
    draft.send()
    draft.write('n', 50)
    draft.settle()
    expect(draft.update('n', increment).finish()).toBe(51)
    expect(update.finish()).toBe(2)
  })

  it('are forgotten with the journal when all is discarded, whatever becomes of it', () => {
    const { draft, journal } = sending()
    draft.write('m', 2)
    draft.discard()
    draft.rebase()
    draft.applied(journal, textsOf({ n: 1 }), undefined)
    expect(draft.keys()).toEqual([])
    expect(commit(draft, {})).toBeUndefined()
  })

  it('E1: a value whose update was replayed on a newer one reads as the newer', () => {
    const draft = loaded({ n: 1, m: 1 })
    draft.update('n', increment).finish()
    draft.read('m')
    expect(commit(draft, { n: 5, m: 5 })?.data).toEqual({ n: 6, m: 5 })
    expect(draft.read('n')).toBe(6)
    expect(draft.update('m', increment).finish()).toBe(6)
  })
})

describe('signing in over a session', () => {
  const signIn = (userId: string, ...keep: string[]): SignInStep => ({
    type: 'sign-in',
    userId,
    label: undefined,
    keep: new Set(keep),
    timeouts: { deadline: 1, idleTimeout: undefined, persistent: undefined },
  })

  /** Each tells of the draft that what was done before the load, and after it, comes to the same. */
  const moments: [string, (data: Data, userId: string | undefined, act: (draft: Draft) => void) => Draft][] =
    [
      [
        'known before',
        (data, userId, act) => {
          const draft = new Draft()
          draft.rebase(textsOf(data), userId)
          act(draft)
          return draft
        },
      ],
      [
        'known only after the load',
        (data, userId, act) => {
          const draft = new Draft()
          act(draft)
          draft.rebase(textsOf(data), userId)
          return draft
        },
      ],
    ]

  describe.each(moments)('whose it is, is %s', (_, visited) => {
    it.each([undefined, 'alice'])('E11: over %s, alice keeps what was there and what she set', (owner) => {
      const draft = visited({ cart: ['rope'], n: 1 }, owner, (each) => {
        each.write('a', 1)
        each.update('n', increment)
        each.signIn(signIn('alice'))
        each.write('b', 2)
      })
      expect(draft.keys().toSorted()).toEqual(['a', 'b', 'cart', 'n'])
      const data = { cart: ['rope'], n: 2, a: 1, b: 2 }
      expect(commit(draft, { cart: ['rope'], n: 1 })?.data).toEqual(data)
    })

    it('E11: over another’s, what was there, set, updated or deleted before is gone, what is set since stays', () => {
      const draft = visited({ cart: ['rope'], n: 1 }, 'alice', (each) => {
        each.write('a', 1)
        each.write('o', { deep: 1 })
        each.update('n', increment)
        each.write('cart', undefined)
        each.signIn(signIn('bob'))
        each.write('b', 2)
      })
      expect(draft.keys()).toEqual(['b'])
      expect(['cart', 'n', 'a', 'o', 'b'].map((key) => draft.read(key))).toEqual([
        undefined,
        undefined,
        undefined,
        undefined,
        2,
      ])
      expect(commit(draft, { cart: ['rope', 'hook'], n: 7, more: 1 })?.data).toEqual({ b: 2 })
    })

    it('E11: over another’s, what it keeps comes along, as it was set, updated or changed inside before', () => {
      const draft = visited({ cart: ['rope'], n: 1, gone: 1, lang: 'en' }, 'alice', (each) => {
        each.write('a', { deep: 1 })
        each.update('n', increment)
        each.write('gone', undefined)
        each.signIn(signIn('bob', 'a', 'n', 'gone', 'lang'))
      })
      expect(draft.keys().toSorted()).toEqual(['a', 'lang', 'n'])
      ;(draft.read('a') as Data)['deep'] = 2
      expect(commit(draft, { cart: [], n: 5, gone: 2, lang: 'fr' })?.data).toEqual({
        a: { deep: 2 },
        n: 6,
        lang: 'fr',
      })
    })

    it('E11: a key that was set before and after is as it was set after', () => {
      const draft = visited({}, 'alice', (each) => {
        each.write('cart', ['hers'])
        each.signIn(signIn('bob'))
        each.write('cart', ['his'])
      })
      expect(draft.read('cart')).toEqual(['his'])
      expect(commit(draft, { cart: ['hers, newer'] })?.data).toEqual({ cart: ['his'] })
    })

    it('E11: an update after it starts from nothing, and a take finds nothing', () => {
      const seen: unknown[] = []
      const begun: Begun[] = []
      const draft = visited({ n: 7, flash: 'hello' }, 'alice', (each) => {
        each.signIn(signIn('bob'))
        begun.push(
          each.update('n', (n?: number) => (seen.push(n), increment(n))),
          each.take('flash'),
        )
      })
      expect(begun.map((each) => each.finish())).toEqual([1, undefined])
      expect(commit(draft, { n: 7, flash: 'hello' })).toMatchObject({ data: { n: 1 }, spent: false })
      expect(seen).toEqual([undefined])
    })

    it('E11: an update and a take before it still return what they met', () => {
      const begun: Begun[] = []
      const draft = visited({ n: 7, flash: 'hello' }, 'alice', (each) => {
        begun.push(each.update('n', increment), each.take('flash'))
        each.signIn(signIn('bob'))
      })
      expect(begun.map((each) => each.finish())).toEqual([8, 'hello'])
      expect([draft.keys(), draft.read('n')]).toEqual([[], undefined])
      expect(commit(draft, { n: 7, flash: 'hello' })).toMatchObject({ data: {}, spent: false })
    })

    it('E11: what an update before it returned is gone too, whatever is changed inside; and so is what was set before that', () => {
      const begun: Begun[] = []
      const fail = () => {
        throw new Error('no such thing')
      }
      const draft = visited({ cart: { items: ['hers'] } }, 'alice', (each) => {
        each.write('bad', { of: 'hers' })
        begun.push(
          each.update('cart', (cart: object) => cart),
          each.update('bad', fail),
        )
        each.signIn(signIn('bob'))
      })
      const cart = begun[0]!.finish() as Data
      expect(begun[1]!.finish).toThrow('no such thing')
      cart['items'] = ['changed']
      expect(draft.keys()).toEqual([])
      expect(commit(draft, { cart: { items: ['hers'] } })?.data).toEqual({})
    })

    it('E11: the second of two goes over the first one’s', () => {
      const draft = visited({ n: 1 }, undefined, (each) => {
        each.signIn(signIn('alice'))
        each.write('hers', 1)
        each.write('both', 2)
        each.signIn(signIn('bob', 'both'))
        each.write('his', 3)
      })
      expect(draft.keys().toSorted()).toEqual(['both', 'his'])
      expect(draft.userId).toBe('bob')
      expect(commit(draft, { n: 1 })?.data).toEqual({ both: 2, his: 3 })
    })

    it('E11: and back again: what was the first one’s is gone all the same', () => {
      const draft = visited({ n: 1 }, 'alice', (each) => {
        each.signIn(signIn('bob'))
        each.signIn(signIn('alice'))
      })
      expect(draft.keys()).toEqual([])
      expect(commit(draft, { n: 1 })?.data).toEqual({})
    })

    it('E11: with no session behind it there is nobody else', () => {
      const draft = visited({}, undefined, (each) => {
        each.write('a', 1)
        each.signIn(signIn('alice'))
      })
      expect(commit(draft, {})?.data).toEqual({ a: 1 })
    })

    it('D3: discarded, it leaves nothing behind', () => {
      const draft = visited({ n: 1 }, 'alice', (each) => {
        each.write('a', 1)
        each.signIn(signIn('bob'))
        expect(each.discard()).toBe(true)
      })
      expect([draft.userId, draft.isOwnerAwaited, draft.hasSteps]).toEqual(['alice', false, false])
      expect(draft.read('n')).toBe(1)
      expect(commit(draft, { n: 1 })).toBeUndefined()
    })
  })

  it('E11: values handed out before are gone too: neither read again nor saved, whatever is changed inside', () => {
    const draft = new Draft()
    draft.rebase(textsOf({ cart: { items: [1] }, lang: { is: 'en' } }), 'alice')
    const [hers, lang] = [draft.read('cart') as Data, draft.read('lang') as Data]
    draft.signIn(signIn('bob', 'lang'))
    hers['items'] = ['hers']
    lang['is'] = 'fr'
    expect(draft.has('cart')).toBe(false)
    expect(draft.read('lang')).toBe(lang)
    expect(commit(draft, { cart: { items: [1] }, lang: { is: 'en' } })?.data).toEqual({ lang: { is: 'fr' } })
  })

  it('E11: a value handed out before, of nobody else’s, still counts', () => {
    const draft = new Draft()
    draft.rebase(textsOf({ cart: { items: [1] } }), undefined)
    const cart = draft.read('cart') as Data
    draft.signIn(signIn('alice'))
    cart['items'] = [2]
    expect(draft.read('cart')).toBe(cart)
    expect(commit(draft, { cart: { items: [1] } })?.data).toEqual({ cart: { items: [2] } })
  })

  it('A2, E11: until it is known whose it is, no key is answered without the load', () => {
    const draft = new Draft()
    draft.write('a', 1)
    draft.signIn(signIn('bob'))
    draft.write('b', 2)
    expect([draft.isOwnerAwaited, draft.holds('a'), draft.holds('b')]).toEqual([true, false, false])
    draft.rebase(textsOf({ n: 1 }), 'alice')
    expect([draft.isOwnerAwaited, draft.holds('a'), draft.holds('b')]).toEqual([false, false, true])
    draft.signIn(signIn('carol', 'b'))
    expect([draft.isOwnerAwaited, draft.holds('b')]).toEqual([false, true])
  })

  it('E9: says whose it will be: who signed in last, else whose was loaded', () => {
    const draft = new Draft()
    expect(draft.userId).toBeUndefined()
    draft.rebase(textsOf({ n: 1 }), 'alice')
    expect(draft.userId).toBe('alice')
    draft.signIn(signIn('bob'))
    expect(draft.userId).toBe('bob')
    const journal = draft.send()
    expect(draft.userId).toBe('bob')
    draft.lost(journal)
    expect(draft.userId).toBeUndefined()
  })

  it('E11: once it is written, the session is his: a second one of his keeps all', () => {
    const draft = new Draft()
    draft.rebase(textsOf({ n: 1 }), 'alice')
    draft.signIn(signIn('bob'))
    draft.write('his', 1)
    draft.settle()
    draft.applied(draft.send(), textsOf({ his: 1 }), 'bob')
    draft.signIn(signIn('bob'))
    expect(commit(draft, { his: 1 }, 'bob')?.data).toEqual({ his: 1 })
    draft.signIn(signIn('carol'))
    expect(commit(draft, { his: 1 })?.data).toEqual({})
  })

  it('E4, E11: one that is begun while another is sent goes over that one’s', () => {
    const draft = new Draft()
    draft.rebase(textsOf({ n: 1 }), undefined)
    draft.signIn(signIn('alice'))
    draft.write('hers', 1)
    draft.settle()
    const journal = draft.send()
    draft.signIn(signIn('bob'))
    draft.write('his', 2)
    expect(draft.keys()).toEqual(['his'])
    draft.applied(journal, textsOf({ n: 1, hers: 1 }), 'alice')
    expect([draft.keys(), draft.userId]).toEqual([['his'], 'bob'])
    expect(commit(draft, { n: 1, hers: 1 })?.data).toEqual({ his: 2 })
  })

  it('E11: what was judged at the first attempt is not judged anew by whose it is at the second', () => {
    const draft = new Draft()
    draft.rebase(textsOf({ n: 1 }), 'alice')
    draft.signIn(signIn('bob'))
    const journal = draft.send()
    draft.takeBack(journal)
    draft.rebase(textsOf({ n: 1 }), 'bob')
    expect(commit(draft, { n: 1 })?.data).toEqual({})
  })

  it('D9: what a refused save was to write is dropped whole, the sign-in included', () => {
    const draft = new Draft()
    draft.rebase(textsOf({ n: 1 }), 'alice')
    draft.signIn(signIn('bob'))
    draft.write('bad', () => {})
    expect(() => draft.settle()).toThrow(SessionDataError)
    const unsaved = draft.unsaved()
    expect(draft.isStill(unsaved)).toBe(true)
    draft.drop(unsaved)
    expect([draft.userId, draft.hasSteps, draft.read('n')]).toEqual(['alice', false, 1])
    expect(commit(draft, { n: 1 })).toBeUndefined()
  })

  it('D9: a sign-in since is a change, and is not dropped with it', () => {
    const draft = new Draft()
    draft.rebase(textsOf({ n: 1 }), 'alice')
    draft.write('bad', () => {})
    const unsaved = draft.unsaved()
    draft.signIn(signIn('bob'))
    expect(draft.isStill(unsaved)).toBe(false)
    draft.drop(unsaved)
    expect(draft.userId).toBe('bob')
    expect(commit(draft, { n: 1 })?.data).toEqual({})
  })
})

describe('a draft against a plain model', () => {
  const keys = ['a', 'b', 'c', '__proto__', 'constructor']
  const base = textsOf({ a: 1, b: { n: [1] }, c: null })

  it('E1: reads and stores the same over 3 000 random histories, changes while saving included', () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const { chance, pick, text } = generator(seed)
      const operations = ['read', 'write', 'delete', 'update', 'take', 'change', 'has', 'keys', 'clear']
      let stored = base
      const draft = new Draft()
      draft.rebase(stored)
      const model = new Model(stored)
      const history = [`seed ${seed}`]
      const step = () => {
        const [operation, key, given] = [pick(operations), pick(keys), text()]
        history.push(`${operation} ${key} ${given}`)
        const result = begin(draft, operation, key, given)()
        expect(result, history.join(', ')).toEqual(model.perform(operation, key, given))
      }
      for (let save = 0; save < 3; save++) {
        for (let steps = 0; steps < 6; steps++) step()
        draft.settle()
        const expected = model.texts
        if (draft.hasSteps) {
          const journal = draft.send()
          history.push('send')
          const { texts, spent } = replay(journal.steps, stored)
          expect(spent, history.join(', ')).toBe(false)
          if (chance(0.5)) for (let steps = 0; steps < 3; steps++) step()
          draft.applied(journal, texts, undefined)
          history.push('applied')
          stored = texts
        }
        expect(stored, history.join(', ')).toEqual(expected)
      }
    }
  })

  it('E1: replays 3 000 random requests on a newer record as if they were done to it step by step', () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const { chance, pick, text } = generator(seed)
      const newest = new Map<string, string>()
      for (const key of keys) if (chance(0.7)) newest.set(key, (chance(0.5) && base.get(key)) || text())
      const draft = new Draft()
      const model = new Model(base)
      const replayed = new Model(newest)
      const history = [`seed ${seed}`, JSON.stringify([...newest])]
      // Half of the requests begin before they are loaded, and do not wait for what they begin.
      const waits = chance(0.5)
      if (waits) draft.rebase(base)
      const operations = ['write', 'delete', 'update', 'take', 'clear', ...(waits ? ['read', 'change'] : [])]
      const unfinished: (() => void)[] = []
      const changedInside = new Set<string>()
      for (let steps = 0; steps < 7; steps++) {
        const [operation, key, given] = [pick(operations), pick(keys), text()]
        // What a take of a value changed inside does to a newer one is not laid down.
        if (operation === 'take' && changedInside.has(key)) continue
        history.push(`${operation} ${key} ${given}`)
        const result = model.perform(operation, key, given)
        const finish = begin(draft, operation, key, given)
        const compare = () => expect(finish(), history.join(', ')).toEqual(result)
        if (waits) compare()
        else unfinished.push(compare)
        if (operation === 'clear') changedInside.clear()
        if (operation === 'change' && result === 'changed') {
          changedInside.add(key)
          replayed.perform('write', key, model.texts.get(key)!)
        } else if (operation !== 'change' && operation !== 'read') {
          changedInside.delete(key)
          const isSame = JSON.stringify(replayed.values.get(key)) === JSON.stringify(result)
          if (operation !== 'take' || isSame) replayed.perform(operation, key, given)
        }
      }
      if (!waits) draft.rebase(base)
      for (const compare of unfinished) compare()
      draft.settle()
      const texts = draft.hasSteps ? replay(draft.send().steps, newest).texts : newest
      expect(texts, history.join(', ')).toEqual(replayed.texts)
    }
  })
})

describe('a session on a draft', () => {
  class FailingStore extends MemoryStore {
    fails = false
    override async get(...args: Parameters<MemoryStore['get']>) {
      if (this.fails) throw new Error('connection refused')
      return super.get(...args)
    }
  }

  async function visitor(data: Data) {
    const store = new FailingStore()
    const manager = createSessionManager({ store })
    const [session, headers] = [manager.open(undefined), new Headers()]
    for (const [key, value] of Object.entries(data)) session.set(key, value)
    await manager.commit(session, () => ({ status: 200, headers }))
    return { store, manager, cookie: headers.get('set-cookie')!.split(';')[0]! }
  }

  it.each([
    ['no number', (n: number) => n + 1],
    ['nothing to read from', (n: number) => n.toFixed()],
  ])('S9: signs out though an update before it, that nobody waited for, now finds %s', async (_, fn) => {
    const { manager, cookie } = await visitor({ n: 1 })
    const session = manager.open(cookie)
    session.update('n', fn).catch(() => {})
    session.destroy()
    const headers = new Headers()
    await manager.commit(session, () => ({ status: 302, headers }))
    expect(headers.get('set-cookie')).toContain('Max-Age=0')
    expect(await manager.open(cookie).exists()).toBe(false)
  })

  it.each([false, true])(
    'E1, A2: a take whose load failed spends nothing when the store answers again (taken again: %s)',
    async (takesAgain) => {
      const { store, manager, cookie } = await visitor({ flash: 'hello' })
      const session = manager.open(cookie)
      store.fails = true
      await expect(session.take('flash')).rejects.toThrow('did not answer')
      store.fails = false
      expect(await session.get('flash')).toBe('hello')
      if (takesAgain) expect(await session.take('flash')).toBe('hello')
      session.set('seen', true)
      await session.save()
      const expected = takesAgain ? { seen: true } : { flash: 'hello', seen: true }
      expect(await manager.open(cookie).entries()).toEqual(expected)
    },
  )

  it('A2: the commit still reports an update whose load failed, when a later read failed too', async () => {
    const { store, manager, cookie } = await visitor({ n: 1 })
    const session = manager.open(cookie)
    store.fails = true
    session.update('n', increment).catch(() => {})
    await expect(session.get('n')).rejects.toThrow('did not answer')
    await expect(session.get('n')).rejects.toThrow('did not answer')
    const response = () => ({ status: 200, headers: new Headers() })
    await expect(manager.commit(session, response)).rejects.toThrow('did not answer')
  })
})

/** What a session is, without journals, texts or replay. */
class Model {
  readonly values = new Map<string, unknown>()

  constructor(texts: SessionTexts) {
    for (const [key, text] of texts) this.values.set(key, JSON.parse(text))
  }

  get texts(): SessionTexts {
    return new Map([...this.values].map(([key, value]) => [key, JSON.stringify(value)]))
  }

  perform(operation: string, key: string, given: string): unknown {
    const current = this.values.get(key)
    switch (operation) {
      case 'write':
        return void this.values.set(key, JSON.parse(given))
      case 'update': {
        const value = updated(structuredClone(current), given)
        if (value === undefined) this.values.delete(key)
        else this.values.set(key, value)
        return structuredClone(value)
      }
      case 'delete':
        return void this.values.delete(key)
      case 'take':
        this.values.delete(key)
        return current
      case 'clear':
        return void this.values.clear()
      case 'change':
        return changeInside(current, given)
      case 'has':
        return current !== undefined
      case 'keys':
        return [...this.values.keys()].toSorted()
      default:
        return structuredClone(current)
    }
  }
}

/** Does the same to a draft; what is returned runs after the load and gives the result. */
function begin(draft: Draft, operation: string, key: string, given: string): () => unknown {
  switch (operation) {
    case 'write':
      return nothing(draft.write(key, JSON.parse(given)))
    case 'update': {
      const { finish } = draft.update(key, (current: unknown) => updated(current, given))
      return () => structuredClone(finish())
    }
    case 'delete':
      return nothing(draft.write(key, undefined))
    case 'take':
      return draft.take(key).finish
    case 'clear':
      return nothing(draft.clear())
    case 'change':
      return () => changeInside(draft.read(key), given)
    case 'has':
      return () => draft.has(key)
    case 'keys':
      return () => draft.keys().toSorted()
    default:
      return () => structuredClone(draft.read(key))
  }
}

const nothing = (_done: void) => () => undefined

/** Pure, and different for different values; now and then nothing. */
function updated(current: unknown, given: string): unknown {
  if (given === '2') return undefined
  return typeof current === 'number' ? current + 1 : { was: current ?? null, given: JSON.parse(given) }
}

/** Changes what is inside an object or list; says whether it could. */
function changeInside(value: unknown, given: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (Array.isArray(value)) value.push(JSON.parse(given))
  else Object.assign(value, { changed: JSON.parse(given) })
  return 'changed'
}

function generator(seed: number) {
  const random = seeded(seed)
  const pick = <Item>(list: readonly Item[]) => list[Math.floor(random() * list.length)]!
  const texts = ['1', '2', 'null', 'false', '"text"', '[1]', '[]', '{"n":[1]}', '{"deep":{"er":[{}]}}']
  return { chance: (share: number) => random() < share, pick, text: () => pick(texts) }
}
