import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../../src/core/index.ts'
import { Keyring } from '../../../src/core/crypto/keyring.ts'
import { generateToken } from '../../../src/core/http/token.ts'
import { OpenedRecords } from '../../../src/core/record/opened-records.ts'
import { decodeRecord } from '../../../src/core/record/record.ts'
import { RecordIO, type Services } from '../../../src/core/record/record-io.ts'
import { secret } from '../../support/stores.ts'

describe('RecordIO', () => {
  // No request can look: the token of a record that is taken back was handed to nobody.
  it('S67: of a record that is taken back nothing is kept', async () => {
    const opened = new OpenedRecords()
    const store = new MemoryStore()
    const keyring = new Keyring('__Host-session', () => [new TextEncoder().encode(secret)])
    const io = new RecordIO({
      store,
      keyring,
      opened,
      now: Date.now,
      idleTimeout: 600,
    } as unknown as Services)
    const keys = await keyring.keysOf(generateToken())
    const newSince = Date.now()
    const record = { generation: 1, writeIds: '', newIds: 0, newSince, texts: new Map([['user', '"u1"']]) }
    await io.add(keys, { ...record, deadline: newSince + 600_000 })
    const { bytes } = (await store.get(keys.storeKey, 600))!
    expect(opened.recall(keys.storeKey, bytes, decodeRecord)).toBeDefined()
    io.discard(keys.storeKey)
    expect(opened.recall(keys.storeKey, bytes, decodeRecord)).toBeUndefined()
  })
})
