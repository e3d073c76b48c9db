import { describe, expect, it } from 'vitest'
import { SessionDataError } from '../../../src/core/errors.ts'
import { createSessionManager } from '../../../src/core/manager.ts'
import { MemoryStore } from '../../../src/core/stores/memory-store.ts'
import type { SessionTexts } from '../../../src/core/record/record.ts'
import { WorkingCopy } from '../../../src/core/draft/working-copy.ts'
import { seeded } from '../../support/seeded.ts'

type Data = Record<string, unknown>

const increment = (n = 0) => n + 1
const textsOf = (data: Data): SessionTexts =>
  new Map(Object.entries(data).map(([key, value]) => [key, JSON.stringify(value)]))
const dataOf = (texts: SessionTexts): Data =>
  Object.fromEntries([...texts].map(([key, text]) => [key, JSON.parse(text)]))

/** A copy whose session is loaded. */
function loaded(data: Data): WorkingCopy {
  const copy = new WorkingCopy()
  copy.rebase(textsOf(data))
  return copy
}

/** As the commit does: replays the oldest batch on the newest record; `undefined` when there are no changes. */
function commit(
  copy: WorkingCopy,
  newest: Data,
): { data: Data; changed: boolean; spent: boolean } | undefined {
  copy.settle()
  const batch = copy.pending
  if (!batch) return undefined
  batch.sent = true
  const { texts, ...rest } = batch.applyTo(textsOf(newest))
  copy.applied(batch, texts)
  return { data: dataOf(texts), ...rest }
}

describe('reading a working copy', () => {
  it('sees what was loaded and its own unsaved writes', () => {
    const copy = loaded({ a: 1, b: { c: [2] } })
    copy.write('a', 5)
    copy.write('d', null)
    copy.write('b', undefined)
    expect(['a', 'b', 'd', 'e'].map((key) => copy.read(key))).toEqual([5, undefined, null, undefined])
    expect(['a', 'b', 'd', 'e'].map((key) => copy.has(key))).toEqual([true, false, true, false])
    expect(copy.keys().toSorted()).toEqual(['a', 'd'])
  })

  it('hands out the same object every time', () => {
    const copy = loaded({ cart: { items: [] } })
    expect(copy.read('cart')).toBe(copy.read('cart'))
    const set = {}
    copy.write('set', set)
    expect(copy.read('set')).toBe(set)
  })

  it('A2: answers before the load for keys that were written, and only for them', () => {
    const copy = new WorkingCopy()
    copy.write('set', 1)
    copy.write('deleted', undefined)
    copy.update('updated', increment)
    expect(['set', 'deleted', 'updated', 'other'].map((key) => copy.holds(key))).toEqual([
      true,
      true,
      false,
      false,
    ])
    copy.clear()
    expect(copy.holds('set')).toBe(false)
  })

  it('does not mistake the members of Object.prototype for keys', () => {
    const copy = loaded({})
    for (const key of ['__proto__', 'constructor', 'toString']) {
      expect([copy.read(key), copy.has(key), copy.holds(key)]).toEqual([undefined, false, false])
    }
    copy.write('__proto__', { polluted: true })
    expect(copy.keys()).toEqual(['__proto__'])
    expect({}).not.toHaveProperty('polluted')
  })
})

describe('what a request did', () => {
  it('D2: reading alone is no change', () => {
    const copy = loaded({ cart: { items: [1] }, n: 1, nothing: null })
    for (const key of copy.keys()) copy.read(key)
    expect(commit(copy, {})).toBeUndefined()
    expect(copy.discard()).toBe(false)
  })

  it('D2: a set to an equal value is no change', () => {
    const copy = loaded({ cart: { items: [1] }, n: 1 })
    copy.write('cart', { items: [1] })
    copy.write('n', 1)
    expect(commit(copy, { cart: { items: [1] }, n: 1 })).toMatchObject({ changed: false })
  })

  it.each<[string, (copy: WorkingCopy) => any]>([
    ['loaded', (copy) => copy.read('cart')],
    ['set', (copy) => (copy.write('cart', { items: [1] }), copy.read('cart'))],
    ['updated', (copy) => copy.update('cart', (cart) => cart).finish()],
  ])('D2: a nested change to a value that was %s is a set of that key, and of no other', (_, hold) => {
    const copy = loaded({ cart: { items: [1] }, other: { a: 1 } })
    copy.read('other')
    hold(copy).items.push(2)
    const newest = { cart: { items: [7], more: true }, other: { a: 2 } }
    expect(commit(copy, newest)?.data).toEqual({ cart: { items: [1, 2] }, other: { a: 2 } })
  })

  it('D2: a nested change that was taken back is no change', () => {
    const copy = loaded({ list: [1] })
    const list = copy.read('list') as number[]
    list.push(2)
    list.pop()
    expect(commit(copy, {})).toBeUndefined()
  })

  it('keeps the value that was set, not a copy: what counts is what it is at the commit', () => {
    const copy = loaded({})
    const list = [1]
    copy.write('list', list)
    list.push(2)
    expect(commit(copy, {})?.data).toEqual({ list: [1, 2] })
    list.push(3)
    expect(commit(copy, { list: [1, 2] })?.data).toEqual({ list: [1, 2, 3] })
    expect(commit(copy, {})).toBeUndefined()
  })

  it.each<[string, (copy: WorkingCopy) => unknown, Data]>([
    ['set', (copy) => copy.write('n', 10), { n: 11 }],
    ['delete', (copy) => copy.write('n', undefined), { n: 1 }],
    ['clear', (copy) => copy.clear(), { n: 1 }],
    ['update', (copy) => copy.update('n', () => 20).finish(), { n: 21 }],
    ['take', (copy) => copy.take('n').finish(), { n: 1 }],
  ])('E1: an update after a %s works on that value, also on a newer record', (_, before, data) => {
    const copy = loaded({ n: 5 })
    before(copy)
    expect(copy.update('n', increment).finish()).toBe(data.n)
    expect(copy.read('n')).toBe(data.n)
    const take = commit(copy, { n: 5 })
    expect(take?.data).toEqual(data)
  })

  it('E1: an update after a nested change works on the changed value', () => {
    const copy = loaded({ list: [1] })
    ;(copy.read('list') as number[]).push(2)
    expect(copy.update('list', (list: number[]) => [...list, 3]).finish()).toEqual([1, 2, 3])
    expect(commit(copy, { list: [9] })?.data).toEqual({ list: [1, 2, 3] })
  })

  it('E1: an update is replayed on a newer value, and its result used again on the same one', () => {
    let runs = 0
    const count = (n: number) => (runs++, n + 1)
    const copy = loaded({ n: 1 })
    expect(copy.update('n', count).finish()).toBe(2)
    copy.settle()
    expect(dataOf(copy.pending!.applyTo(textsOf({ n: 1 })).texts)).toEqual({ n: 2 })
    expect(runs).toBe(1)
    expect(commit(copy, { n: 41 })?.data).toEqual({ n: 42 })
    expect(runs).toBe(2)
    expect(copy.read('n')).toBe(42)
  })

  it('E1: an update that throws is not recorded and leaves the value as it was', () => {
    const copy = loaded({ n: 1, list: [1] })
    const failure = new Error('no')
    const fail = () => {
      throw failure
    }
    const list = copy.read('list') as number[]
    expect(copy.update('n', fail).finish).toThrow(failure)
    expect(copy.update('list', fail).finish).toThrow(failure)
    expect(copy.update('n', async () => 5).finish).toThrow(TypeError)
    expect(copy.read('n')).toBe(1)
    expect(commit(copy, {})).toBeUndefined()
    list.push(2)
    expect(commit(copy, {})?.data).toEqual({ list: [1, 2] })
  })

  it('E1: an update that throws after a set leaves what was set', () => {
    const copy = loaded({})
    copy.write('n', 1)
    const fail = () => {
      throw new Error('no')
    }
    expect(copy.update('n', fail).finish).toThrow('no')
    expect(commit(copy, {})?.data).toEqual({ n: 1 })
  })

  it('E1: take deletes only the value that it returned', () => {
    const copies = Array.from({ length: 3 }, () => loaded({ flash: 'hello', other: 1 }))
    for (const copy of copies) {
      expect([copy.take('flash').finish(), copy.take('flash').finish(), copy.read('flash')]).toEqual([
        'hello',
        undefined,
        undefined,
      ])
    }
    const [first, second, third] = copies as [WorkingCopy, WorkingCopy, WorkingCopy]
    expect(commit(first, { flash: 'hello', other: 1 })).toMatchObject({ data: { other: 1 }, spent: false })
    expect(commit(second, { other: 1 })).toMatchObject({ data: { other: 1 }, spent: true })
    expect(commit(third, { flash: 'newer' })).toMatchObject({ data: { flash: 'newer' }, spent: true })
  })

  it('E1: a take that found nothing is no change and spends nothing', () => {
    const copy = loaded({})
    expect(copy.take('flash').finish()).toBeUndefined()
    expect(commit(copy, {})).toBeUndefined()
  })

  it('E1: a take of what this request set is that value', () => {
    const copy = loaded({ flash: 'old' })
    const value = { text: 'new' }
    copy.write('flash', value)
    expect(copy.take('flash').finish()).toBe(value)
    expect(commit(copy, { flash: 'newer' })).toMatchObject({ data: {}, spent: false })
  })

  it('E1: clear empties the newest record too, and what is set after it stays', () => {
    const copy = loaded({ a: 1, b: { c: 1 } })
    copy.read('b')
    copy.write('c', 1)
    copy.clear()
    copy.write('d', 2)
    expect(copy.keys()).toEqual(['d'])
    expect(commit(copy, { a: 1, e: 3 })?.data).toEqual({ d: 2 })
  })

  it('E1: a value held from before a clear is forgotten: changing it is no change', () => {
    const copy = loaded({ list: [1] })
    const list = copy.read('list') as number[]
    copy.clear()
    list.push(2)
    expect(commit(copy, { list: [1] })?.data).toEqual({})
  })

  it('D2: what was committed is not committed again over a newer value', () => {
    const copy = loaded({ a: 1, b: [1], c: 1, d: 1, e: 1 })
    copy.write('a', undefined)
    copy.write('b', [2])
    copy.update('c', increment).finish()
    copy.take('d').finish()
    copy.update('e', () => undefined).finish()
    expect(commit(copy, { a: 1, b: [1], c: 1, d: 1, e: 1 })?.data).toEqual({ b: [2], c: 2 })
    expect(commit(copy, { a: 9, b: [9], c: 9, d: 9, e: 9 })).toBeUndefined()
  })

  it('D7: what cannot be stored fails settling, not the write, and may be mended', () => {
    const copy = loaded({ n: 1 })
    copy.write('when', new Map())
    copy.write('n', 2)
    expect(() => copy.settle()).toThrow(SessionDataError)
    expect(() => copy.settle()).toThrow(/^when: expected JSON/)
    copy.write('when', 'now')
    expect(commit(copy, {})?.data).toEqual({ when: 'now', n: 2 })
  })

  it('D7: an update to what cannot be stored throws and is not recorded', () => {
    const copy = loaded({ n: 1 })
    expect(() => copy.update('n', () => new Map()).finish()).toThrow(
      /^n: expected JSON, got an instance of Map/,
    )
    expect(copy.read('n')).toBe(1)
    expect(commit(copy, { n: 1 })).toBeUndefined()
  })

  it('D3: discard forgets changes and values, and says whether there were changes', () => {
    const changes: ((copy: WorkingCopy) => unknown)[] = [
      (copy) => copy.write('n', 1),
      (copy) => copy.write('list', [1]),
      (copy) => (copy.read('list') as number[]).push(2),
      (copy) => copy.update('n', increment).finish(),
      (copy) => copy.take('n').finish(),
      (copy) => copy.clear(),
    ]
    for (const change of changes) {
      const copy = loaded({ n: 1, list: [1] })
      change(copy)
      expect(copy.discard()).toBe(true)
      expect(copy.read('n')).toBe(1)
      expect(copy.read('list')).toEqual([1])
      expect(copy.discard()).toBe(false)
      expect(commit(copy, {})).toBeUndefined()
    }
  })
})

describe('what was begun before the load', () => {
  it('E1: runs in order on what was loaded', () => {
    const copy = new WorkingCopy()
    const finish = [
      copy.update('n', increment),
      copy.update('n', (n) => n * 10),
      copy.take('n'),
      copy.take('n'),
      copy.update('n', increment),
    ]
    copy.rebase(textsOf({ n: 1 }))
    expect(finish.map((run) => run.finish())).toEqual([2, 20, 20, undefined, 1])
    expect(commit(copy, { n: 1, other: 2 })?.data).toEqual({ n: 1, other: 2 })
  })

  it('E1: is followed by what was set meanwhile', () => {
    const copy = new WorkingCopy()
    const finish = [copy.update('n', increment), copy.take('flash')]
    copy.write('n', 100)
    copy.write('flash', 'next')
    copy.rebase(textsOf({ n: 1, flash: 'first' }))
    expect(finish.map((run) => run.finish())).toEqual([2, 'first'])
    expect([copy.read('n'), copy.read('flash')]).toEqual([100, 'next'])
    expect(commit(copy, { n: 1, flash: 'first' })).toMatchObject({
      data: { n: 100, flash: 'next' },
      spent: false,
    })
  })

  it('E1: still sees what was loaded when a clear follows before the load', () => {
    const copy = new WorkingCopy()
    const finish = [
      copy.take('flash'),
      copy.update('n', increment),
      copy.update('n', increment),
      copy.take('n'),
    ]
    copy.clear()
    copy.rebase(textsOf({ n: 5, flash: 'hello' }))
    expect(finish.map((run) => run.finish())).toEqual(['hello', 6, 7, 7])
    expect(commit(copy, { n: 5, flash: 'hello' })?.data).toEqual({})
  })

  it('D3: leaves nothing behind when all was discarded before it ran', () => {
    for (const fn of [increment, () => ({ a: 1 }), () => Number.NaN]) {
      const copy = new WorkingCopy()
      const finish = [copy.update('n', fn), copy.take('flash')]
      copy.discard()
      for (const run of finish) run.finish()
      expect(copy.read('n')).toBeUndefined()
      expect(copy.keys()).toEqual([])
      expect(commit(copy, {})).toBeUndefined()
    }
  })
})

describe('changes made while a batch is sent', () => {
  /** A copy with `n: 1` set and on its way. */
  function sending() {
    const copy = loaded({ list: [1] })
    copy.write('n', 1)
    copy.settle()
    const batch = copy.pending!
    batch.sent = true
    return { copy, batch }
  }

  it('E4: go into the next one, and are seen meanwhile', () => {
    const { copy, batch } = sending()
    copy.write('m', 2)
    expect(copy.update('n', increment).finish()).toBe(2)
    ;(copy.read('list') as number[]).push(2)
    copy.settle()
    expect(copy.pending).toBe(batch)
    expect(dataOf(batch.applyTo(textsOf({ list: [1] })).texts)).toEqual({ list: [1], n: 1 })
    copy.applied(batch, textsOf({ list: [1], n: 1 }))
    expect([copy.read('n'), copy.read('m'), copy.read('list')]).toEqual([2, 2, [1, 2]])
    expect(commit(copy, { list: [1], n: 1 })?.data).toEqual({ list: [1, 2], n: 2, m: 2 })
    expect(commit(copy, {})).toBeUndefined()
  })

  it('E4: have a write id of their own', () => {
    const { copy, batch } = sending()
    copy.write('n', 2)
    copy.settle()
    expect(copy.current).not.toBe(batch)
    expect(copy.current.writeId).not.toBe(batch.writeId)
  })

  it('E4: a batch that was not sent after all takes further changes', () => {
    const { copy, batch } = sending()
    batch.sent = false
    copy.write('m', 2)
    copy.settle()
    expect(copy.current).toBe(batch)
    expect(commit(copy, {})?.data).toEqual({ n: 1, m: 2 })
  })

  it('E1: a clear meanwhile empties what the batch wrote, too', () => {
    const { copy, batch } = sending()
    copy.clear()
    expect(copy.keys()).toEqual([])
    copy.applied(batch, textsOf({ list: [1], n: 1 }))
    expect(commit(copy, { list: [1], n: 1 })?.data).toEqual({})
  })

  it('E1: a take meanwhile takes what the batch wrote', () => {
    const { copy, batch } = sending()
    expect(copy.take('n').finish()).toBe(1)
    copy.applied(batch, textsOf({ list: [1], n: 1 }))
    expect(copy.read('n')).toBeUndefined()
    expect(commit(copy, { list: [1], n: 1 })).toMatchObject({ data: { list: [1] }, spent: false })
  })

  it('E1: see what stood there when they were begun', () => {
    const copy = loaded({ n: 1 })
    const update = copy.update('n', increment)
    copy.current.sent = true
    copy.write('n', 50)
    copy.settle()
    expect(copy.update('n', increment).finish()).toBe(51)
    expect(update.finish()).toBe(2)
  })

  it('are forgotten with the batch when all is discarded, whatever becomes of it', () => {
    const { copy, batch } = sending()
    copy.write('m', 2)
    copy.discard()
    copy.rebase()
    copy.applied(batch, textsOf({ n: 1 }))
    expect(copy.keys()).toEqual([])
    expect(commit(copy, {})).toBeUndefined()
  })

  it('E1: a value whose update was replayed on a newer one reads as the newer', () => {
    const copy = loaded({ n: 1, m: 1 })
    copy.update('n', increment).finish()
    copy.read('m')
    expect(commit(copy, { n: 5, m: 5 })?.data).toEqual({ n: 6, m: 5 })
    expect(copy.read('n')).toBe(6)
    expect(copy.update('m', increment).finish()).toBe(6)
  })
})

describe('a working copy against a plain model', () => {
  const keys = ['a', 'b', 'c', '__proto__', 'constructor']
  const base = textsOf({ a: 1, b: { n: [1] }, c: null })

  it('E1: reads and stores the same over 3 000 random histories, changes while saving included', () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const { chance, pick, text } = generator(seed)
      const operations = ['read', 'write', 'delete', 'update', 'take', 'change', 'has', 'keys', 'clear']
      let stored = base
      const copy = new WorkingCopy()
      copy.rebase(stored)
      const model = new Model(stored)
      const history = [`seed ${seed}`]
      const step = () => {
        const [operation, key, given] = [pick(operations), pick(keys), text()]
        history.push(`${operation} ${key} ${given}`)
        const result = begin(copy, operation, key, given)()
        expect(result, history.join(', ')).toEqual(model.perform(operation, key, given))
      }
      for (let save = 0; save < 3; save++) {
        for (let steps = 0; steps < 6; steps++) step()
        copy.settle()
        const expected = model.texts
        const batch = copy.pending
        if (batch) {
          batch.sent = true
          history.push('send')
          const { texts, spent } = batch.applyTo(stored)
          expect(spent, history.join(', ')).toBe(false)
          if (chance(0.5)) for (let steps = 0; steps < 3; steps++) step()
          copy.applied(batch, texts)
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
      const copy = new WorkingCopy()
      const model = new Model(base)
      const replayed = new Model(newest)
      const history = [`seed ${seed}`, JSON.stringify([...newest])]
      // Half of the requests begin before they are loaded, and do not wait for what they begin.
      const waits = chance(0.5)
      if (waits) copy.rebase(base)
      const operations = ['write', 'delete', 'update', 'take', 'clear', ...(waits ? ['read', 'change'] : [])]
      const unfinished: (() => void)[] = []
      const changedInside = new Set<string>()
      for (let steps = 0; steps < 7; steps++) {
        const [operation, key, given] = [pick(operations), pick(keys), text()]
        // What a take of a value changed inside does to a newer one is not laid down.
        if (operation === 'take' && changedInside.has(key)) continue
        history.push(`${operation} ${key} ${given}`)
        const result = model.perform(operation, key, given)
        const finish = begin(copy, operation, key, given)
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
      if (!waits) copy.rebase(base)
      for (const compare of unfinished) compare()
      copy.settle()
      const texts = copy.pending?.applyTo(newest).texts ?? newest
      expect(texts, history.join(', ')).toEqual(replayed.texts)
    }
  })
})

describe('a session on a working copy', () => {
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

/** What a session is, without batches, texts or replay. */
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

/** Does the same to a working copy; what is returned runs after the load and gives the result. */
function begin(copy: WorkingCopy, operation: string, key: string, given: string): () => unknown {
  switch (operation) {
    case 'write':
      return nothing(copy.write(key, JSON.parse(given)))
    case 'update': {
      const { finish } = copy.update(key, (current: unknown) => updated(current, given))
      return () => structuredClone(finish())
    }
    case 'delete':
      return nothing(copy.write(key, undefined))
    case 'take':
      return copy.take(key).finish
    case 'clear':
      return nothing(copy.clear())
    case 'change':
      return () => changeInside(copy.read(key), given)
    case 'has':
      return () => copy.has(key)
    case 'keys':
      return () => copy.keys().toSorted()
    default:
      return () => structuredClone(copy.read(key))
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
