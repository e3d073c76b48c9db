// What an operation holds that a memcached owes an answer which has stopped; for in-flight.ts, in a process of its own.
import { MemcachedStore } from '../../src/core/stores/memcached/memcached-store.ts'
import { startMemcached } from '../../test/support/memcached.ts'

/** Bytes, heap and buffers together. */
export interface Held {
  read: number
  write: number
}

const operations = Number(process.argv[2])
/** Of a session of 260 bytes of JSON, sealed. */
const RECORD_BYTES = 404
const PATIENCE_MS = 60_000

const server = await startMemcached()
await server.freeze()
const held: Held = {
  read: await heldBy((store, key) => store.get(key, 100)),
  write: await heldBy((store, key) => store.add(key, new Uint8Array(RECORD_BYTES), 100)),
}
await server.stop()
console.log(JSON.stringify(held))

async function heldBy(ask: (store: MemcachedStore, key: string) => Promise<unknown>): Promise<number> {
  const patience = { operationTimeoutMs: PATIENCE_MS, connectTimeoutMs: PATIENCE_MS }
  const store = new MemcachedStore({ servers: server.address, maxInFlight: operations, ...patience })
  const keys = Array.from({ length: operations }, (_, index) => String(index).padStart(43, '0'))
  const before = usage()
  const asked = keys.map((key) => ask(store, key).catch(() => 'failed'))
  // Until it is written as far as the system takes it.
  await new Promise((resolve) => setTimeout(resolve, 500))
  const bytes = (usage() - before) / operations
  await store.close()
  if ((await Promise.all(asked)).some((end) => end !== 'failed')) throw new Error('not all were waiting')
  return bytes
}

function usage(): number {
  for (let times = 0; times < 3; times++) globalThis.gc!()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
