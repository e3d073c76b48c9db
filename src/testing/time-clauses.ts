import { apples, atOnce, newKey, PARALLEL, pears, type Clauses } from './trial.ts'

/**
 * Time: when records run out. Servers whose clocks count whole seconds are let off a second, early or late; so what
 * must be gone by a second was given one less, and what must still be there was given two more.
 */
export const timeClauses: Clauses = {
  async 'a record lasts as long as its time to live'({ store, add, find, pass }) {
    const [added, replaced, set] = [newKey(), newKey(), newKey()]
    await add(added, apples(), 3)
    await store.replace(replaced, apples(), 3, await add(replaced, pears()))
    await store.set(set, apples(), 3)
    await pass(1)
    await find(added, apples(), '1 second after an add for 3')
    await find(replaced, apples(), '1 second after a replace for 3')
    await find(set, apples(), '1 second after a set for 3')
  },

  async 'a record is gone once its time to live has run out'(trial) {
    const { store, add, find, findNothing, refuse, pass } = trial
    const [added, swapped, set, addedAgain] = [newKey(), newKey(), newKey(), newKey()]
    await add(added, apples(), 1)
    const version = await add(swapped, apples(), 1)
    await store.set(set, apples(), 1)
    const old = await add(addedAgain, apples(), 1)
    await pass(2)
    await findNothing(added, '2 seconds after an add for 1')
    await findNothing(set, '2 seconds after a set for 1')
    await refuse('missing', swapped, version, 'after the time to live')
    await findNothing(swapped, 'after a replace that came too late')
    await add(addedAgain, pears())
    await refuse('conflict', addedAgain, old, 'at a version of a record that ran out')
    await find(addedAgain, pears(), 'after the time to live and another add')
  },

  async 'exactly one of many adds takes the key of a record that ran out'({ store, key, add, pass, expect }) {
    await add(key, apples(), 1)
    await pass(2)
    const versions = await atOnce(() => store.add(key, pears(), 100))
    const winners = versions.filter((version) => version !== undefined)
    expect(winners.length === 1, `one of ${PARALLEL} adds to write`, `${winners.length}`)
  },

  async 'get restarts the time to live'({ add, find, findNothing, pass }) {
    const [longer, shorter, later] = [newKey(), newKey(), newKey()]
    await add(longer, apples(), 2)
    await add(shorter)
    await add(later)
    await find(longer, apples(), 'after add', 100)
    await find(shorter, apples(), 'after add', 2)
    await pass(3)
    await find(longer, apples(), '3 seconds after an add for 2 and a get for 100')
    await findNothing(shorter, '3 seconds after an add for 100 and a get for 2')
    await find(later, apples(), '3 seconds after an add for 100', 2)
    await find(later, apples(), 'right after a get for 2, which counts from that get')
  },

  async 'a get without a time to live leaves it alone'(trial) {
    const { add, find, findNothing, peek, peekNothing, pass, canSkipTime } = trial
    const [longer, shorter, shortened, later] = [newKey(), newKey(), newKey(), newKey()]
    await add(longer)
    await add(shorter, apples(), 2)
    await add(shortened)
    await find(shortened, apples(), 'after add', 2)
    for (const key of [longer, shorter, shortened]) await peek(key, apples(), 'before it has run out')
    await pass(3)
    await peek(longer, apples(), '3 seconds after an add for 100')
    await peekNothing(shorter, '3 seconds after an add for 2')
    await findNothing(shorter, '3 seconds after an add for 2 and a get without a time to live')
    await findNothing(shortened, '3 seconds after a get for 2 and another one without a time to live')
    if (!canSkipTime) return
    await add(later)
    await pass(60)
    await peek(later, apples(), '60 seconds after an add for 100')
    await pass(60)
    await findNothing(later, '120 seconds after an add for 100 and 60 after a get without a time to live')
  },

  async 'every write brings its own time to live'({ store, add, find, findNothing, pass }) {
    const replaced = { longer: newKey(), shorter: newKey() }
    const set = { longer: newKey(), shorter: newKey() }
    await store.replace(replaced.longer, pears(), 100, await add(replaced.longer, apples(), 2))
    await store.replace(replaced.shorter, pears(), 2, await add(replaced.shorter, apples(), 100))
    await add(set.longer, apples(), 2)
    await store.set(set.longer, pears(), 100)
    await add(set.shorter, apples(), 100)
    await store.set(set.shorter, pears(), 2)
    await pass(3)
    await find(replaced.longer, pears(), '3 seconds after a replace for 100 of a record added for 2')
    await findNothing(replaced.shorter, '3 seconds after a replace for 2 of a record added for 100')
    await find(set.longer, pears(), '3 seconds after a set for 100 of a record added for 2')
    await findNothing(set.shorter, '3 seconds after a set for 2 of a record added for 100')
  },

  async 'what writes nothing leaves the time to live alone'({ store, add, refuse, findNothing, pass }) {
    const [taken, swapped] = [newKey(), newKey()]
    const version = await add(swapped, apples(), 100)
    await add(taken, apples(), 2)
    await store.replace(swapped, apples(), 2, version)
    await store.add(taken, pears(), 100)
    await refuse('conflict', swapped, version, 'after a replace')
    await pass(3)
    await findNothing(taken, '3 seconds after an add for 2, although another add came too late')
    await findNothing(swapped, '3 seconds after a replace for 2, although another one was a conflict')
  },

  async 'a time to live of 30 days and more is kept'({ store, add, find, pass, canSkipTime }) {
    for (const days of [30, 31, 400]) {
      const ttl = days * DAY
      const [key, another] = [newKey(), newKey()]
      const version = await add(key, apples(), ttl)
      await find(key, apples(), `after an add for ${days} days`, ttl)
      await find(key, apples(), `after a get for ${days} days`, ttl)
      await store.replace(key, pears(), ttl, version)
      await find(key, pears(), `after a replace for ${days} days`, ttl)
      await store.set(another, apples(), ttl)
      await find(another, apples(), `after a set for ${days} days`, ttl)
      if (canSkipTime) {
        await pass(ttl - DAY)
        await find(key, pears(), `${days - 1} days after a get for ${days}`)
      }
      // Nobody wants them in a database for a year.
      for (const each of [key, another]) await store.delete(each)
    }
  },

  async 'a time to live that is no whole number above 0 is rejected, and nothing changes'(trial) {
    const { store, add, replace, find, findNothing, reject } = trial
    for (const ttl of [0, -1, 1.5, NaN, Infinity]) {
      const [key, unused] = [newKey(), newKey()]
      const version = await add(key)
      await reject(`a time to live of ${ttl}`, {
        get: () => store.get(key, ttl),
        add: () => store.add(unused, pears(), ttl),
        replace: () => store.replace(key, pears(), ttl, version),
        set: () => store.set(key, pears(), ttl),
      })
      await findNothing(unused, `after an add for ${ttl} seconds`)
      await find(key, apples(), `after operations for ${ttl} seconds`)
      await replace(key, pears(), version, `after operations for ${ttl} seconds`)
    }
  },
}

const DAY = 24 * 60 * 60
