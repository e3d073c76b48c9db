import { describe, expect, it } from 'vitest'
import { Keyring } from '../../src/core/crypto/keyring.ts'
import { MemoryStore, SessionDataError } from '../../src/core/index.ts'
import { createBench } from '../support/managers.ts'
import { secret } from '../support/stores.ts'
import { tokenOf, visit } from '../support/visit.ts'

const benchOf = (store: MemoryStore & { maxBytes?: number }) =>
  createBench({ current: store, countRecords: async () => store.size })

describe('the messages of errors', () => {
  it('S57: a key that a visitor chose cannot forge a line of a log, nor fill it', async () => {
    const bench = benchOf(Object.assign(new MemoryStore(), { maxBytes: 1000 }))
    for (const key of ['a\nERROR forged', 'a\r\u001B[2J', 'a\u0085\u2028b', 'k'.repeat(100_000)]) {
      for (const [name, value] of [
        [key, 'x'.repeat(2000)],
        [key, NaN],
        ['form', { [key]: NaN }],
      ] as const) {
        const { error } = await visit(bench.manager, undefined, (session) => session.set(name, value))
        expect(error).toBeInstanceOf(SessionDataError)
        const { message } = error as Error
        // oxlint-disable-next-line no-control-regex
        expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
        expect(message.length).toBeLessThan(1000)
      }
    }
  })

  it('S45, S57: a sealed value that is no JSON fails without showing it', async () => {
    const bench = benchOf(new MemoryStore())
    const cookie = await bench.begin({ user: 'u1' })
    await bench.read(cookie)
    const [key] = bench.store.keys
    const keyring = new Keyring('__Host-session', () => [new TextEncoder().encode(secret)])
    const text = `{"deadline":${Date.now() + 1e9},"generation":1,"writeIds":"","newIds":0,"newSince":1,"keys":["user"]}\ntelling`
    await bench.store.set(key!, await keyring.seal({ token: tokenOf(cookie), storeKey: key! }, text), 60)
    const outcome: unknown = await bench.manager
      .open(cookie)
      .get('user')
      .catch((error: unknown) => error)
    expect(String(outcome)).not.toContain('telling')
  })
})
