import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startMemcached } from './memcached.ts'
import { startRedis } from './redis.ts'
import { onMemcached, type StoreKind } from './store-servers.ts'

/** A server that is stopped so that it keeps its sessions, or so that it does not, and started again where it was. */
export interface Restartable {
  port: number
  stop(isKept: boolean): Promise<void>
  startAgain(): Promise<void>
  end(): Promise<void>
  /** Takes all away that it holds. */
  flush(): Promise<unknown>
  /** Takes one record away; says whether it was there. */
  forget(key: string): Promise<boolean>
  has(key: string): Promise<boolean>
}

/** With `args` of its own memcached keeps nothing. */
export function startRestartable(kind: StoreKind, args: readonly string[] = []): Promise<Restartable> {
  return kind === onMemcached ? warmMemcached(args) : writtenRedis(args)
}

/** With a file of its memory, which it leaves in order when it is told to. */
async function warmMemcached(more: readonly string[]): Promise<Restartable> {
  // The file belongs into memory, where there is such a folder.
  const shared = await access('/dev/shm').then(
    () => '/dev/shm',
    () => tmpdir(),
  )
  const folder = await mkdtemp(join(shared, 'holdfast-restart-'))
  const args = more.length > 0 ? more : ['-m', '64', '-e', join(folder, 'sessions.mem')]
  let memcached = await startMemcached({ args })
  const { port } = memcached
  let stoppedAt = 0
  return {
    port,
    async stop(isKept) {
      await memcached.stop(isKept ? 'SIGUSR1' : 'SIGTERM')
      stoppedAt = performance.now()
    },
    async startAgain() {
      // Started again within the second in which it stopped, it mistrusts its file and begins empty.
      await sleep(stoppedAt + 1100 - performance.now())
      memcached = await startMemcached({ port, args })
    },
    async end() {
      await memcached.stop()
      await rm(folder, { recursive: true })
    },
    flush: () => memcached.text('flush_all'),
    forget: async (key) => (await memcached.text(`delete session:${key}`)).startsWith('DELETED'),
    has: async (key) => (await memcached.text(`mg session:${key} s u`)).startsWith('HD'),
  }
}

/**
 * It writes each change down before it answers, but for the time that the disk takes for what came in the second before:
 * then, for at most two seconds, it answers first, and who kills it takes that away.
 */
async function writtenRedis(more: readonly string[]): Promise<Restartable> {
  const redis = await startRedis('--appendonly', 'yes', '--appendfsync', 'everysec', ...more)
  return {
    port: redis.port,
    async stop(isKept) {
      if (!isKept) await redis.text('FLUSHALL')
      while (!(await redis.text('INFO', 'persistence')).includes('aof_buffer_length:0\r')) await sleep(5)
      await redis.kill()
    },
    startAgain: () => redis.restart(),
    end: () => redis.stop(),
    flush: () => redis.text('FLUSHALL'),
    forget: async (key) => (await redis.text('DEL', `session:${key}`)).startsWith(':1'),
    has: async (key) => (await redis.text('EXISTS', `session:${key}`)).startsWith(':1'),
  }
}
