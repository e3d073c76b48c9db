import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { MemoryStore } from '../../src/core/index.ts'
import { MarkChanges } from '../../src/core/record/mark-changes.ts'
import { RecordIO, type Services } from '../../src/core/record/record-io.ts'
import { Turns } from '../../src/core/record/turns.ts'
import { RedisServer } from '../../src/core/stores/redis/redis-server.ts'

const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } }
setFlagsFromString('--expose-gc')
const collect = Bun ? () => Bun.gc(true) : (runInNewContext('gc') as (options?: object) => void)
const payload = () => Array.from({ length: 100 }, () => 0)

const turns = new Turns<object>()
const services = { store: new MemoryStore(), opened: { forget() {} } } as unknown as Services
const changes = new MarkChanges()
const bounds = { operationTimeoutMs: 5_000, maxInFlight: 4_096 }
const redis = new RedisServer(
  'redis:6379',
  bounds,
  () => undefined,
  async () => {},
)

// A Map whose keys come and go is made anew again and again, and V8 lets the old one keep the new one and all that is in it,
// until all memory is looked through.
it.each<[string, (key: string) => Promise<unknown>]>([
  ['a turn', (key) => turns.take(key, async (_newest, handOn) => handOn(payload()))],
  [
    'a change of a list',
    (key) => {
      const kept = payload()
      const io = new RecordIO(services)
      return changes.make(io, { keyId: '', storeKey: key, sealKey: '' }, () => (kept.length ? undefined : []))
    },
  ],
  ['an operation on Redis', () => redis.ask(true, async () => payload())],
])('F6: nothing of %s that is over outlives a collection of what is young', async (_, run) => {
  // 16 at a time, so that there is always one.
  const runs = (count: number) =>
    Promise.all(
      Array.from({ length: 16 }, async (_, visitor) => {
        for (let time = 0; time < count; time++) await run(`${visitor} ${time}`)
      }),
    )
  await runs(1_000)
  collect()
  const before = process.memoryUsage().heapUsed
  for (let round = 0; round < 10; round++) {
    await runs(50)
    collect({ type: 'minor' })
  }
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000)
})
