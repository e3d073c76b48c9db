import type { SessionStore, Version } from '../core/index.ts'
import { interleavingClauses } from './interleaving-clauses.ts'
import { apples, pause, pears, type Clauses, type Trial } from './trial.ts'
import { versionClauses } from './version-clauses.ts'

/** Two stores on the same data, as two processes have them: what one has acknowledged is so for the other. */
export const twoStoreClauses: Clauses = {
  'what one store wrote, another finds at once, whatever it read before': everyWrite('after a read'),
  'a read that another store overtakes with a write brings back nothing old': everyWrite('beside a read'),

  async 'an add is refused by what another store added, and not by what it deleted'(trial) {
    const other = trial.of(await trial.openAnother())
    const { key } = trial
    await trial.findNothing(key, 'under a new key')
    await other.add(key)
    const came = await trial.store.add(key, pears(), 100)
    trial.expect(came === undefined, 'undefined from add where another store added', 'a version')
    await other.store.delete(key)
    await trial.add(key)
  },

  'a version is as good, and as stale, through another store': inTurn(versionClauses),
  'operations that meet through two stores do as through one': inTurn(interleavingClauses),

  async 'a get through one store restarts the time to live for another'(trial) {
    const other = trial.of(await trial.openAnother())
    const { key } = trial
    await trial.add(key, apples(), 2)
    await other.find(key, apples(), 'after an add for 2 by another store', 2)
    await other.find(key, apples(), 'after a get for 2', 100)
    await trial.pass(3)
    await trial.find(key, apples(), '3 seconds after an add for 2 and a get for 100 by another store')
  },
}

const writes: Record<string, (by: Trial, key: string, version: Version) => Promise<unknown>> = {
  add: ({ add }, key) => add(key, pears()),
  replace: ({ replace }, key, version) => replace(key, pears(), version, 'at the version of add'),
  set: ({ store }, key) => store.set(key, pears(), 100),
  delete: ({ store }, key) => store.delete(key),
}

/** By one store; each also with one of the two late to begin, or late to answer. */
function everyWrite(place: 'after a read' | 'beside a read'): (trial: Trial) => Promise<void> {
  const hold = async (reader: Trial, writer: Trial, name: string) => {
    const { key } = reader
    const version = name === 'add' ? undefined : await writer.add(key)
    const find = async (later: string) => {
      const when = `after ${name} by another store ${place}${later}`
      if (name === 'delete') await Promise.all([reader.findNothing(key, when), reader.peekNothing(key, when)])
      else await Promise.all([reader.find(key, pears(), when), reader.peek(key, pears(), when)])
    }
    const reading = Promise.all([reader.store.get(key, 100), reader.store.get(key, undefined)])
    if (place === 'after a read') await reading
    await Promise.all([reading, writes[name]!(writer, key, version).then(() => find(''))])
    await pause()
    await find(' and a little later')
  }
  return async (trial) => {
    const another = await trial.openAnother()
    const paced = (store: SessionStore, late: number) => trial.of(slowed(() => store, late === 1, late === 2))
    const rounds = [0, 1, 2, 3, 4].flatMap((late) =>
      Object.keys(writes).map((name) => hold(paced(trial.store, late), paced(another, late - 2), name)),
    )
    await Promise.all(rounds)
  }
}

/** Each operation by the next of two stores. */
function inTurn(clauses: Clauses): (trial: Trial) => Promise<void> {
  return async (trial) => {
    const stores = [trial.store, await trial.openAnother()]
    let turn = 0
    const both = slowed(() => stores[turn++ % 2]!)
    for (const hold of Object.values(clauses)) await hold(trial.of(both))
  }
}

function slowed(next: () => SessionStore, beginsLate = false, answersLate = false): SessionStore {
  const late = async <Result>(operate: (store: SessionStore) => Promise<Result>): Promise<Result> => {
    if (beginsLate) await pause()
    const came = await operate(next())
    if (answersLate) await pause()
    return came
  }
  return {
    get: (...args) => late((store) => store.get(...args)),
    add: (...args) => late((store) => store.add(...args)),
    replace: (...args) => late((store) => store.replace(...args)),
    set: (...args) => late((store) => store.set(...args)),
    delete: (key) => late((store) => store.delete(key)),
  }
}
