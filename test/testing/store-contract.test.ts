import { beforeAll, describe, expect, it } from 'vitest'
import { MemoryStore, StoreUnavailableError, type SessionStore } from 'holdfast'
import { sessionStoreContract } from 'holdfast/testing'
import { brokenStores, openBroken, type BrokenStore } from '../support/broken-stores.ts'

const names = sessionStoreContract(() => new MemoryStore()).map(({ name }) => name)

interface Failure {
  name: string
  message: string
}

const failures = new Map<BrokenStore, Failure[]>()

async function runOn(broken: BrokenStore): Promise<Failure[]> {
  let now = Date.now()
  const open = () => openBroken(broken, () => now)
  const advance = (seconds: number) => (now += seconds * 1000)
  const found: Failure[] = []
  for (const { name, run } of sessionStoreContract(open, { advance })) {
    await run().catch(({ message }: Error) => found.push({ name, message }))
  }
  return found
}

// That it is content with sound stores is in ../core/store.test.ts.
describe('sessionStoreContract', () => {
  beforeAll(async () => {
    for (const broken of brokenStores) failures.set(broken, await runOn(broken))
  })
  const allFailures = () => [...failures.values()].flat()

  it.each(brokenStores.map((broken) => [broken.does, broken] as const))(
    'finds a store that %s',
    (_, broken) => {
      const messages = failures.get(broken)!.map(({ message }) => message)
      for (const message of broken.messages) {
        expect(messages.map((each) => each.slice(0, message.length))).toContain(message)
      }
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
