import type { Version } from '../core/index.ts'
import { apples, atOnce, isSame, newKey, PARALLEL, pears, show, type Clauses, type Trial } from './trial.ts'

/** Operations that meet on one key: each happens at once or not at all, in some order. */
export const interleavingClauses: Clauses = {
  async 'exactly one of many adds wins, and its bytes stand'({ store, key, find, replace, expect }) {
    const versions = await atOnce((index) => store.add(key, new Uint8Array([index]), 100))
    const winners = versions.flatMap((version, index) => (version === undefined ? [] : [index]))
    expect(winners.length === 1, `one of ${PARALLEL} adds to write`, `${winners.length}`)
    await find(key, new Uint8Array(winners), 'of the add that was told so')
    await replace(key, pears(), versions[winners[0]!], 'at the version of the add that won')
  },

  async 'exactly one of many replaces at one version wins, and its bytes stand'(trial) {
    const { store, key, add, replace, find, expect } = trial
    const version = await add(key)
    const outcomes = await atOnce((index) => store.replace(key, new Uint8Array([index]), 100, version))
    const winners = outcomes.flatMap(({ outcome }, index) => (outcome === 'replaced' ? [index] : []))
    expect(winners.length === 1, `one of ${PARALLEL} replaces to write`, `${winners.length}`)
    const losers = outcomes.filter(({ outcome }) => outcome === 'conflict')
    expect(losers.length === PARALLEL - 1, `'conflict' for all others`, `for ${losers.length}`)
    await find(key, new Uint8Array(winners), 'of the replace that was told so')
    const won = outcomes[winners[0]!] as { version: Version }
    await replace(key, pears(), won.version, 'at the version of the winner')
  },

  async 'a counter that many raise at once, each until its replace succeeds, is exact'(trial) {
    const { key, add, find } = trial
    await add(key, new Uint8Array([0]))
    await atOnce((index) => raise(trial, index))
    await find(key, new Uint8Array([PARALLEL]), `after ${PARALLEL} raised it by 1`)
  },

  async 'a delete and a replace that meet leave nothing'({ store, add, findNothing, expect }) {
    await meet(async (together) => {
      const key = newKey()
      const version = await add(key)
      const [came] = await together(
        () => store.replace(key, pears(), 100, version),
        () => store.delete(key),
      )
      expect(came.outcome !== 'conflict', `'replaced' or 'missing' beside a delete`, `'conflict'`)
      await findNothing(key, `after a delete, whose replace beside it was '${came.outcome}'`)
    })
  },

  async 'a set stands against the replaces that it meets'({ store, add, find }) {
    await meet(async (together) => {
      const key = newKey()
      const version = await add(key)
      const [came] = await together(
        () => store.replace(key, apples(), 100, version),
        () => store.set(key, pears(), 100),
      )
      await find(key, pears(), `of the set, whose replace beside it was '${came.outcome}'`)
    })
  },

  async 'a get undoes none of the writes that it meets'({ store, add, find, findNothing, expect }) {
    await meet(async (together, round) => {
      const besideGet = <Result>(key: string, write: () => Promise<Result>) =>
        together(() => store.get(key, ttlOf(round)), write)
      const [replaced, set, deleted] = [newKey(), newKey(), newKey()]
      const version = await add(replaced)
      await add(set)
      await add(deleted)
      const [, came] = await besideGet(replaced, () => store.replace(replaced, pears(), 100, version))
      expect(came.outcome === 'replaced', `'replaced' beside a get`, `'${came.outcome}'`)
      await find(replaced, pears(), 'of the replace beside a get')
      await besideGet(set, () => store.set(set, pears(), 100))
      await find(set, pears(), 'of the set beside a get')
      await besideGet(deleted, () => store.delete(deleted))
      await findNothing(deleted, 'after a delete beside a get')
    })
  },

  async 'a get beside writes finds what one of them wrote, never a mixture'({ store, add, expect }) {
    const [set, replaced] = [newKey(), newKey()]
    const written = (index: number) => new Uint8Array(1000 + index).fill(index)
    const read = async (key: string, turn: number) => {
      const bytes = (await store.get(key, ttlOf(turn)))?.bytes
      expect(isSame(bytes, written(bytes?.[0] ?? 0)), 'get to find all that one write wrote', show(bytes))
    }
    await add(set, written(0))
    let version = await add(replaced, written(0))
    for (let index = 1; index <= PARALLEL; index++) {
      const [came] = await Promise.all([
        store.replace(replaced, written(index), 100, version),
        store.set(set, written(index), 100),
        ...Array.from({ length: 10 }, (_, turn) => after(turn, () => read(set, turn))),
        ...Array.from({ length: 10 }, (_, turn) => after(turn, () => read(replaced, turn))),
      ])
      expect(came.outcome === 'replaced', `'replaced' beside gets`, `'${came.outcome}'`)
      version = (came as { version: Version }).version
    }
  },
}

/** Starts two operations at once, or one a little later. */
type Together = <One, Other>(one: () => Promise<One>, other: () => Promise<Other>) => Promise<[One, Other]>

/** Runs a round many times at once: each starts the operations that meet in it in another order or distance. */
async function meet(round: (together: Together, index: number) => Promise<void>): Promise<void> {
  await atOnce((index) => {
    const turns = index >> 1
    const together: Together = async (one, other) => {
      if (index % 2 === 0) return Promise.all([one(), after(turns, other)])
      const started = other()
      return Promise.all([after(turns, one), started])
    }
    return round(together, turns)
  })
}

/** Half of the gets leave the time to live alone. */
function ttlOf(index: number): number | undefined {
  return index % 2 === 0 ? 100 : undefined
}

/** In step with each other, operations would only ever meet at the same points of their way. */
async function after<Result>(turns: number, operate: () => Promise<Result>): Promise<Result> {
  for (let turn = 0; turn < turns; turn++) await undefined
  return operate()
}

/** Whoever fails does so because another one succeeded, so none needs more tries than there are of them. */
async function raise({ store, key, expect }: Trial, turns: number): Promise<void> {
  for (let tries = 0; tries < PARALLEL; tries++) {
    const record = await after(turns, () => store.get(key, ttlOf(turns)))
    expect(record !== undefined, 'get to find the counter', 'nothing')
    const raised = new Uint8Array([record!.bytes[0]! + 1])
    const { outcome } = await store.replace(key, raised, 100, record!.version)
    if (outcome === 'replaced') return
    expect(outcome === 'conflict', `'conflict' where another was first`, `'${outcome}'`)
  }
  expect(false, `each of ${PARALLEL} to succeed within ${PARALLEL} tries`, 'conflicts alone')
}
