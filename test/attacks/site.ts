import { onTestFinished } from 'vitest'
import type { SessionManager, SessionOptions } from '../../src/core/index.ts'
import { startMemcached, type Memcached } from '../support/memcached.ts'
import { secret } from '../support/stores.ts'
import { startApp, type Adapter, type AppOptions } from './app.ts'
import type { Build } from './build.ts'
import { Visitor } from './visitor.ts'

/** An application that runs on a memcached which its attackers can read and write. */
export interface Site {
  url: string
  memcached: Memcached
  manager: SessionManager
  /** Milliseconds since the epoch, for the application; memcached has its own. */
  clock: { ms: number }
  /** The types of the events so far. */
  events: string[]
  visitor(cookie?: string): Visitor
  /** Another application of the same build, on this memcached unless told otherwise. */
  another(options: SessionOptions & AppOptions & StoreOptions): Promise<Site>
}

interface StoreOptions {
  port?: number
  /** Default 550, so that a busy machine is not taken for an outage. */
  timeoutMs?: number
}

/** Runs until the test is over. */
export async function startSite(build: Build, adapter: Adapter): Promise<Site> {
  const memcached = await startMemcached({ args: ['-I', '8m'] })
  onTestFinished(() => memcached.stop())
  return openSite(build, adapter, memcached)
}

async function openSite(
  build: Build,
  adapter: Adapter,
  memcached: Memcached,
  { maxHeaderSize, port = memcached.port, timeoutMs = 550, ...options }: Parameters<Site['another']>[0] = {},
): Promise<Site> {
  const clock = { ms: Date.now() }
  const events: string[] = []
  const manager = build.core.createSessionManager({
    store: new build.memcached.MemcachedStore({
      servers: `127.0.0.1:${port}`,
      operationTimeoutMs: timeoutMs,
      connectTimeoutMs: timeoutMs,
    }),
    secret,
    now: () => clock.ms,
    onEvent: ({ type }) => void events.push(type),
    ...options,
  })
  onTestFinished(() => manager.close())
  const url = await startApp(build, adapter, manager, maxHeaderSize === undefined ? {} : { maxHeaderSize })
  return {
    url,
    memcached,
    manager,
    clock,
    events,
    visitor: (cookie) => new Visitor(url, cookie),
    another: (options) => openSite(build, adapter, memcached, options),
  }
}
