import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { MemoryStore, StoreUnavailableError, type SessionStore } from 'holdfast'
import { sessionStoreContract } from 'holdfast/testing'
import { brokenStores, openBroken, type BrokenStore } from '../support/broken-stores.ts'
import { staleStores } from '../support/stale-stores.ts'

const names = sessionStoreContract(() => new MemoryStore()).map(({ name }) => name)
/** Cases that open two stores. */
const ofTwo = new Set<string>()

interface Failure {
  name: string
  message: string
}

const failures = new Map<BrokenStore, Failure[]>()

async function runOn(broken: BrokenStore, isTried: (name: string) => boolean): Promise<void> {
  let now = Date.now()
  const clock = () => now
  const sound = new MemoryStore({ now: clock })
  const open = () => openBroken(broken, sound, clock)
  const advance = (seconds: number) => (now += seconds * 1000)
  const found: Failure[] = []
  for (const { name, run } of sessionStoreContract(open, { advance })) {
    if (isTried(name)) await run().catch(({ message }: Error) => found.push({ name, message }))
  }
  failures.set(broken, found)
}

/** As a database is: several stores may be opened on it. */
function openOn(sound: MemoryStore): SessionStore {
  return openBroken({ does: 'nothing wrong', breaks: () => ({}), messages: [] }, sound, Date.now)
}

// That it is content with our own stores is in ../core/stores/store.test.ts.
describe('sessionStoreContract', () => {
  beforeAll(async () => {
    let now = Date.now()
    const sound = new MemoryStore({ now: () => now })
    let opened = 0
    const open = () => {
      opened++
      return openOn(sound)
    }
    for (const { name, run } of sessionStoreContract(open, { advance: (s) => (now += s * 1000) })) {
      opened = 0
      await run()
      if (opened === 2) ofTwo.add(name)
    }
    await Promise.all([
      ...brokenStores.map((broken) => runOn(broken, (name) => !ofTwo.has(name))),
      ...staleStores.map((stale) => runOn(stale, () => true)),
    ])
  })
  const allFailures = () => [...failures.values()].flat()

  it.each([...brokenStores, ...staleStores].map((broken) => [broken.does, broken] as const))(
    'finds a store that %s',
    (_, broken) => {
      const messages = failures.get(broken)!.map(({ message }) => message)
      for (const message of broken.messages) {
        expect(messages.map((each) => each.slice(0, message.length))).toContain(message)
      }
    },
  )

  it.each(staleStores.map((stale) => [stale.does, stale] as const))(
    'finds by its cases of two stores alone one that %s',
    (_, stale) => {
      const failed = failures.get(stale)!.map(({ name }) => name)
      expect(failed.filter((name) => !ofTwo.has(name))).toEqual([])
    },
  )

  it('has no case that every store passes', () => {
    expect(new Set(allFailures().map(({ name }) => name))).toEqual(new Set(names))
  })

  it('names the clause, what was expected and what came, in every message', () => {
    for (const { name, message } of allFailures()) {
      expect(message.startsWith(`${name}: expected `)).toBe(true)
      expect(message).toMatch(/, got .+$/)
    }
  })

  it('opens a store for every case and closes it, whatever the case says', async () => {
    let opened = 0
    let closed = 0
    const open = async (): Promise<SessionStore> => {
      opened++
      const store = new MemoryStore()
      return Object.assign(store, { get: async () => undefined, close: async () => void closed++ })
    }
    const outcomes = await Promise.allSettled(
      sessionStoreContract(open, { advance() {} }).map(({ run }) => run()),
    )
    expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true)
    expect([opened, closed]).toEqual([names.length, names.length])
  })

  it('opens two stores in some cases and closes both, whatever the case says', async () => {
    const closed: number[] = []
    let opened = 0
    const sound = new MemoryStore()
    const open = async () => {
      const index = opened++
      return { ...openOn(sound), get: async () => undefined, close: async () => void closed.push(index) }
    }
    const cases = sessionStoreContract(open, { advance() {} }).filter(({ name }) => ofTwo.has(name))
    const outcomes = await Promise.allSettled(cases.map(({ run }) => run()))
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['rejected', 'fulfilled']))
    expect(closed.toSorted((one, other) => one - other)).toEqual([...Array(2 * cases.length).keys()])
  })

  it('finds an open that gives no second store on the same data', async () => {
    const first = openOn(new MemoryStore())
    for (const [open, message] of [
      [
        () => openOn(new MemoryStore()),
        'expected get to find 5 bytes (70 65 61 72 73) after add by another store',
      ],
      [() => first, 'expected open to give two stores, got one twice'],
    ] as const) {
      const cases = sessionStoreContract(open, { advance() {} }).filter(({ name }) => ofTwo.has(name))
      const outcomes = await Promise.allSettled(cases.map(({ run }) => run()))
      expect(outcomes.map(({ status }) => status)).toEqual(Array(cases.length).fill('rejected'))
      const [{ reason }] = outcomes as [PromiseRejectedResult]
      expect(reason).toMatchObject({ message: expect.stringContaining(message) })
    }
  })

  it('waits for no timer that a test holds, where it is given a clock', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const sound = new MemoryStore()
    const advance = (seconds: number) => vi.advanceTimersByTime(seconds * 1000)
    for (const { run } of sessionStoreContract(() => openOn(sound), { advance })) await run()
  })

  it('passes a rejection of the store on, as the cause', async () => {
    const cause = new StoreUnavailableError('get', new Error('no connection'))
    const open = () => Object.assign(new MemoryStore(), { get: () => Promise.reject(cause) })
    const [first] = sessionStoreContract(open)
    await expect(first!.run()).rejects.toThrow(
      expect.objectContaining({
        message: `${first!.name}: expected an answer, got a rejection: StoreUnavailableError: the session store did not answer (get), because of Error: no connection`,
        cause,
      }),
    )
  })

  it('opens nothing before a case runs', () => {
    const open = () => expect.fail('opened')
    expect(sessionStoreContract(open)).toHaveLength(names.length)
  })
})
