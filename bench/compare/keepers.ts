import { startMemcached } from '../../test/support/memcached.ts'
import { startRedis } from '../../test/support/redis.ts'

/** A server that holds the sessions of peers. */
export interface Keeper {
  /** Says to a peer's server where it is. */
  env: Record<string, string>
  empty(): Promise<unknown>
  /** All of them since it started. */
  figures(): Promise<KeeperFigures>
  stop(): Promise<void>
}

export interface KeeperFigures {
  /** What clients asked of single records. */
  commands: number
  connections: number
  evictions: number
}

/** With room for the records that some peers make for every anonymous request: nothing may be evicted. */
export const keepers = {
  async memcached(): Promise<Keeper> {
    const server = await startMemcached({ args: ['-t', '1', '-m', '2048', '-c', '8192'] })
    return {
      env: { MEMCACHED: `127.0.0.1:${server.port}` },
      empty: () => server.text('flush_all'),
      async figures() {
        const found = [...(await server.text('stats')).matchAll(/^STAT (\w+) ([\d.]+)\r$/gm)]
        const stats = Object.fromEntries(found.map(([, name, value]) => [name!, Number(value)]))
        return {
          // A get-and-touch counts as a touch.
          commands: sum(stats, ['cmd_get', 'cmd_touch', 'cmd_set', 'delete_hits', 'delete_misses']),
          connections: stats['total_connections']!,
          evictions: stats['evictions']!,
        }
      },
      stop: () => server.stop(),
    }
  },

  async redis(): Promise<Keeper> {
    const server = await startRedis('--maxmemory', '2gb', '--maxmemory-policy', 'noeviction')
    return {
      env: { REDIS: server.address },
      empty: () => server.text('FLUSHALL'),
      async figures() {
        const info = await server.text('INFO', 'all')
        const calls = Object.fromEntries(
          [...info.matchAll(/^cmdstat_(\w+):calls=(\d+)/gm)].map(([, name, count]) => [name!, Number(count)]),
        )
        const valueOf = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)![1])
        // What a script calls is counted besides: ours one GETRANGE, and one SET where it replaces, as it does here.
        const inScripts = 2 * (calls['getrange'] ?? 0)
        const asked = ['get', 'getex', 'getrange', 'set', 'setex', 'eval', 'expire', 'del']
        return {
          commands: sum(calls, asked) - inScripts,
          connections: valueOf('total_connections_received'),
          evictions: valueOf('evicted_keys'),
        }
      },
      stop: () => server.stop(),
    }
  },
}

function sum(figures: Record<string, number>, names: readonly string[]): number {
  return names.reduce((total, name) => total + (figures[name] ?? 0), 0)
}
