import { afterEach } from 'vitest'
import { startFakeServer, type FakeRequest, type FakeServer } from './fake-server.ts'
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts'
import { startMemcached, type Memcached } from './memcached.ts'
import { startRedis, type RedisServerProcess } from './redis.ts'

export interface Servers {
  /** Ends something when the test is over, the last one first. */
  onEnd(cleanup: () => unknown): void
  memcached(...args: string[]): Promise<Memcached>
  redis(...args: string[]): Promise<RedisServerProcess>
  fake(onRequest: (request: FakeRequest) => void): Promise<FakeServer>
  proxy(target: { port: number }): Promise<FaultProxy>
}

/** Servers that end with the test that started them. */
export function useServers(): Servers {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  })
  return {
    onEnd: (cleanup) => void cleanups.push(cleanup),
    async memcached(...args) {
      const server = await startMemcached({ args })
      cleanups.push(() => server.stop())
      return server
    },
    async redis(...args) {
      const server = await startRedis(...args)
      cleanups.push(() => server.stop())
      return server
    },
    async fake(onRequest) {
      const server = await startFakeServer(onRequest)
      cleanups.push(() => server.close())
      return server
    },
    async proxy(target) {
      const proxy = await startFaultProxy(target)
      cleanups.push(() => proxy.close())
      return proxy
    },
  }
}
