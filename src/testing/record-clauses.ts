import { apples, bytesOf, isSame, newKey, pears, show, type Clauses } from './trial.ts'

/** Records: what is written is what is found, under its own key alone. */
export const recordClauses: Clauses = {
  async 'get finds nothing where nothing was written'({ key, findNothing }) {
    await findNothing(key, 'under a new key')
  },

  async 'add writes a record, and get finds exactly its bytes'({ key, add, find }) {
    await add(key)
    await find(key, apples(), 'after add')
    await find(key, apples(), 'the second time, too')
  },

  async 'get finds the same without a time to live'({ key, add, find, replace, peek, peekNothing }) {
    const added = await add(key)
    await peek(key, apples(), 'after add')
    await peek(key, apples(), 'the second time, too')
    await replace(key, pears(), added, 'after a get without a time to live, at the version of add')
    const peeked = await peek(key, pears(), 'after replace')
    await find(key, pears(), 'after a get without a time to live')
    await replace(key, apples(), peeked, 'at the version of a get without a time to live')
    await peekNothing(newKey(), 'under a new key')
  },

  async 'add changes nothing where the key is taken'({ store, key, add, replace, find, expect }) {
    const version = await add(key)
    const came = await store.add(key, pears(), 100)
    expect(came === undefined, 'undefined from add where the key is taken', 'a version')
    await find(key, apples(), 'after an add that came too late')
    await replace(key, pears(), version, 'at the version from before an add that came too late')
  },

  async 'set writes, whether or not something is there'({ store, key, find }) {
    for (const bytes of [apples(), pears()]) {
      await store.set(key, bytes, 100)
      await find(key, bytes, 'after set')
    }
  },

  async 'delete removes a record'({ store, key, add, find, findNothing }) {
    await add(key)
    await store.delete(key)
    await findNothing(key, 'after delete')
    await add(key, pears())
    await find(key, pears(), 'after delete and add')
  },

  async 'delete of a record that is missing succeeds'({ store, key, add, findNothing }) {
    await store.delete(key)
    await add(key)
    await store.delete(key)
    await store.delete(key)
    await findNothing(key, 'after two deletes')
  },

  async 'every byte is kept'({ store, key, add, replace, find }) {
    const all = Uint8Array.from({ length: 256 }, (_, index) => index)
    const version = await add(key, all)
    await find(key, all, 'after add')
    await replace(key, all.toReversed(), version, 'at the version of add')
    await find(key, all.toReversed(), 'after replace')
    await store.set(key, all, 100)
    await find(key, all, 'after set')
  },

  async 'an empty record is a record'({ store, key, add, replace, find, expect }) {
    const another = newKey()
    const none = new Uint8Array()
    const version = await add(key, none)
    await find(key, none, 'after add')
    const came = await store.add(key, apples(), 100)
    expect(came === undefined, 'an empty record to take its key', 'a version')
    await replace(key, none, version, 'over an empty record')
    await find(key, none, 'after replace')
    await store.set(another, none, 100)
    await find(another, none, 'after set')
  },

  async 'a record as large as maxBytes is kept whole'({ store, key, add, replace, find }) {
    const large = Uint8Array.from({ length: largest(store.maxBytes) }, (_, index) => index % 251)
    const version = await add(key, large)
    await find(key, large, 'after add')
    await replace(key, large.toReversed(), version, 'with a large record')
    await find(key, large.toReversed(), 'after replace')
    await store.set(key, large, 100)
    await find(key, large, 'after set')
  },

  async 'a record over maxBytes is rejected, and nothing changes'(trial) {
    const { store, key, add, replace, find, findNothing, reject } = trial
    if (store.maxBytes === undefined || store.maxBytes === Infinity) return
    const unused = newKey()
    const tooLarge = new Uint8Array(store.maxBytes + 1)
    const version = await add(key)
    await reject('what is larger than maxBytes', {
      add: () => store.add(unused, tooLarge, 100),
      replace: () => store.replace(key, tooLarge, 100, version),
      set: () => store.set(key, tooLarge, 100),
    })
    await findNothing(unused, 'after an add that was too large')
    await find(key, apples(), 'after writes that were too large')
    await replace(key, pears(), version, 'after writes that were too large')
  },

  async 'bytes are copied in'({ store, add, find }) {
    const [added, replaced, set] = [newKey(), newKey(), newKey()]
    const version = await add(replaced, pears())
    // A window on more, as a slice of a pool of buffers is.
    const bytes = bytesOf('<apples>').subarray(1, 7)
    const writes = [
      store.add(added, bytes, 100),
      store.replace(replaced, bytes, 100, version),
      store.set(set, bytes, 100),
    ]
    bytes.fill(0)
    await Promise.all(writes)
    const when = 'although the caller used the bytes for something else once it had called'
    await find(added, apples(), `${when} add`)
    await find(replaced, apples(), `${when} replace`)
    await find(set, apples(), `${when} set`)
  },

  async 'bytes are copied out'({ store, key, add, find, expect }) {
    await add(key)
    const [one, other] = await Promise.all([store.get(key, 100), store.get(key, 100)])
    one?.bytes.fill(0)
    expect(isSame(other?.bytes, apples()), 'two gets to give bytes of their own', show(other?.bytes))
    await find(key, apples(), 'although the caller changed what an earlier get had found')
  },

  async 'keys are kept apart, whatever they differ in'({ store, key: base, add, find, findNothing }) {
    const at = (index: number, character: string) => base.slice(0, index) + character + base.slice(index + 1)
    // In base64url the last character carries four bits, so few can stand there.
    const keys = [...'Aa-_0'].flatMap((character) => [at(0, character), at(21, character)])
    keys.push(at(42, 'A'), at(42, 'E'))
    const distinct = [...new Set(keys)]
    for (const key of distinct) await add(key, bytesOf(key))
    for (const key of distinct) await find(key, bytesOf(key), 'under its own key')
    const [first, ...others] = distinct as [string, ...string[]]
    await store.delete(first)
    await findNothing(first, 'after delete')
    for (const key of others) await find(key, bytesOf(key), 'after the delete of another key')
  },

  async 'watch, where there is one, takes a listener and does no harm'({ store, key, add, find }) {
    store.watch?.(() => {
      throw new Error('a listener that fails')
    })
    await add(key)
    await find(key, apples(), 'with somebody watching')
  },
}

/** Up to a million, so that a store which takes a gigabyte is not tried with one. */
function largest(maxBytes = 100_000): number {
  return Math.min(maxBytes, 1_000_000)
}
