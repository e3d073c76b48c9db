import { describe, it } from 'vitest'
import { MemoryStore } from 'holdfast'
import { sessionStoreContract } from 'holdfast/testing'

describe('MemoryStore', () => {
  let now = Date.now()
  const open = () => new MemoryStore({ now: () => now })
  const advance = (seconds: number) => (now += seconds * 1000)

  for (const { name, run } of sessionStoreContract(open, { advance })) it(name, run)
})
