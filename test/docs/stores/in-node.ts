import { describe, it } from 'node:test'
import { sessionStoreContract } from 'holdfast/testing'
import { SqliteStore } from '../../../examples/sqlite/sqlite-store.ts'

const file = process.env['SESSION_FILE'] ?? 'sessions.db'

describe('SqliteStore', { concurrency: 10 }, () => {
  for (const { name, run } of sessionStoreContract(() => SqliteStore.open(file))) it(name, run)
})
