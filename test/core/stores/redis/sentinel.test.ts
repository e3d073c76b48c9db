import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { createSentinel } from 'redis'
import { describe, expect, it } from 'vitest'
import { RedisStore } from '../../../../src/core/stores/redis/redis-store.ts'
import { expectEveryOperation } from '../../../support/every-operation.ts'
import { freePort } from '../../../support/free-port.ts'
import type { ConnectedClient } from '../../../support/redis-clients.ts'
import { useServers } from '../../../support/servers.ts'

const { onEnd, redis } = useServers()

const long = { timeout: 5000 }
const key = 'k'.repeat(43)
const bytes = new Uint8Array(Buffer.from('apples'))

/** Needs a file that it may write to. */
async function startSentinel(master: number) {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-sentinel-'))
  const file = join(folder, 'sentinel.conf')
  const port = await freePort()
  await writeFile(
    file,
    `port ${port}
sentinel monitor sessions 127.0.0.1 ${master} 1
sentinel down-after-milliseconds sessions 500
sentinel failover-timeout sessions 5000
`,
  )
  const child = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' })
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 50 })
  client.on('error', () => {})
  onEnd(async () => {
    client.disconnect()
    child.kill('SIGKILL')
    await rm(folder, { recursive: true })
  })
  return { port, told: async (...command: [string, ...string[]]) => String(await client.call(...command)) }
}

describe.each<[string, (port: number) => Promise<ConnectedClient>]>([
  [
    'ioredis',
    async (port) => {
      const client = new Redis({ sentinels: [{ host: '127.0.0.1', port }], name: 'sessions' })
      client.on('error', () => {})
      return { client, disconnect: () => client.disconnect() }
    },
  ],
  [
    'node-redis',
    async (port) => {
      const sentinelRootNodes = [{ host: '127.0.0.1', port }]
      const client = createSentinel({ name: 'sessions', sentinelRootNodes })
      client.on('error', () => {})
      await client.connect()
      return { client, disconnect: () => client.destroy() }
    },
  ],
])('A sentinel under RedisStore over %s', (_, connect) => {
  it('asks the master, and the replica that takes its place', async () => {
    const master = await redis('--repl-diskless-sync-delay', '0')
    const replica = await redis('--replicaof', '127.0.0.1', String(master.port))
    await expect.poll(() => replica.text('INFO', 'REPLICATION'), long).toContain('master_link_status:up')
    const sentinel = await startSentinel(master.port)
    await expect
      .poll(() => sentinel.told('SENTINEL', 'REPLICAS', 'sessions'), long)
      .toContain(String(replica.port))
    const { client, disconnect } = await connect(sentinel.port)
    onEnd(disconnect)
    const store = new RedisStore(client, { operationTimeoutMs: 2000 })
    await expectEveryOperation(store, 'o'.repeat(43))
    await store.set(key, bytes, 100)
    // What had not got there yet would be gone: replication is asynchronous.
    await expect.poll(() => replica.text('EXISTS', `session:${key}`), long).toContain(':1')
    await master.stop()
    const end = performance.now() + 12_000
    let found
    while (!found && performance.now() < end) found = await store.get(key, 100).catch(() => undefined)
    expect(found).toMatchObject({ bytes })
    await expectEveryOperation(store, 'p'.repeat(43))
  }, 30_000)
})
