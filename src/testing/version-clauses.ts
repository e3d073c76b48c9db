import { apples, newKey, pears, type Clauses } from './trial.ts'

/** Versions: compare-and-swap, one operation after the other. */
export const versionClauses: Clauses = {
  async 'replace writes at the version that add, replace or get gave'({ store, key, add, replace, find }) {
    const added = await add(key)
    const replaced = await replace(key, pears(), added, 'at the version of add')
    await find(key, pears(), 'after replace')
    await replace(key, apples(), replaced, 'at the version of replace')
    const found = await find(key, apples(), 'after the second replace')
    await replace(key, pears(), found, 'at the version of get')
    await store.set(key, apples(), 100)
    const set = await find(key, apples(), 'after set')
    await replace(key, pears(), set, 'at the version of get after set')
    await find(key, pears(), 'after the last replace')
  },

  async 'a replace in between makes it a conflict'({ key, add, replace, refuse }) {
    const version = await add(key)
    const second = await replace(key, pears(), version, 'at the version of add')
    await refuse('conflict', key, version, 'after a replace')
    await replace(key, apples(), second, 'at the version of replace')
    await refuse('conflict', key, version, 'although the bytes are what they were at that version')
    await refuse('conflict', key, second, 'after a second replace')
  },

  async 'a set in between makes it a conflict'({ store, key, add, find, refuse }) {
    const version = await add(key)
    const read = await find(key, apples(), 'after add')
    await store.set(key, apples(), 100)
    await refuse('conflict', key, version, 'after a set, at the version of add')
    await refuse('conflict', key, read, 'after a set, at the version of get')
  },

  async 'a conflict changes nothing'({ key, add, replace, refuse, find }) {
    const version = await add(key)
    const newer = await replace(key, pears(), version, 'at the version of add')
    await refuse('conflict', key, version, 'after a replace')
    await find(key, pears(), 'after a conflict')
    await replace(key, apples(), newer, 'after a conflict, at the version from before it')
  },

  async 'a read in between makes no conflict'({ key, add, replace, find }) {
    const added = await add(key)
    await find(key, apples(), 'after add', 1000)
    await replace(key, pears(), added, 'after a get, at the version of add')
    const first = await find(key, pears(), 'after replace')
    await find(key, pears(), 'after a get', 10)
    await find(key, pears(), 'after two gets', 1000)
    await replace(key, apples(), first, 'after two gets, at the version of the get before them')
    await find(key, apples(), 'after the second replace')
  },

  async 'replace of a missing record is missing, and makes nothing'(trial) {
    const { store, add, replace, refuse, findNothing } = trial
    const [deleted, never] = [newKey(), newKey()]
    const version = await add(deleted)
    const newer = await replace(deleted, pears(), version, 'at the version of add')
    await store.delete(deleted)
    await refuse('missing', deleted, newer, 'after delete, at the last version')
    await refuse('missing', deleted, version, 'after delete, at an older version')
    await refuse('missing', never, version, 'where nothing was ever written')
    for (const key of [deleted, never]) await findNothing(key, 'after a replace of nothing')
  },

  async 'a version from before a delete never matches again'({ store, add, refuse, find }) {
    for (const name of ['add', 'set']) {
      const key = newKey()
      const version = await add(key)
      await store.delete(key)
      await (name === 'add' ? add(key) : store.set(key, apples(), 100))
      await refuse('conflict', key, version, `after delete and ${name} of the same bytes`)
      await find(key, apples(), `after delete and ${name}`)
    }
  },
}
