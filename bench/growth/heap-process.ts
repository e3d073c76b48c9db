// Fills a MemoryStore and prints what it takes.
import { built } from '../lib/built.ts'
import { sampleData } from '../lib/sample-data.ts'
import type { Heap } from './measure-heap.ts'

const sessions = Number(process.argv[2])
const core = await built('index')

const record = await sealedRecord()
const store = new core.MemoryStore({ maxRecords: sessions })
const before = usage()
for (let session = 0; session < sessions; session++) await store.add(key(session), record, 1800)
const after = usage()
const heap: Heap = {
  sessions,
  recordBytes: record.length,
  heapBytes: (after.heap - before.heap) / store.size,
  bufferBytes: (after.buffers - before.buffers) / store.size,
}
console.log(JSON.stringify(heap))

function usage(): { heap: number; buffers: number } {
  for (let times = 0; times < 3; times++) globalThis.gc!()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return { heap: heapUsed, buffers: arrayBuffers }
}

/** 43 characters, like a store key. */
function key(session: number): string {
  return Buffer.from(String(session).padStart(32)).toString('base64url')
}

/** Of a typical session, as a manager hands it to its store. */
async function sealedRecord(): Promise<Uint8Array> {
  let sealed: Uint8Array | undefined
  const store = new core.MemoryStore()
  const add = store.add.bind(store)
  store.add = (key, bytes, ttl) => add(key, (sealed = bytes), ttl)
  const manager = core.createSessionManager({ store })
  const session = manager.open(undefined)
  for (const [key, value] of Object.entries(sampleData())) session.set(key, value)
  await manager.commit(session, () => ({ status: 200, headers: new Headers() }))
  return sealed!
}
