import type { SessionOptions } from 'holdfast'
import { MemcachedStore } from 'holdfast/memcached'
import { memcached, SECRET, TTL_SECONDS } from './listening.ts'

/** The defaults, but for what all peers are given. */
export const holdfastOptions: SessionOptions = {
  // A deadline that a busy machine keeps: nothing here measures how long an answer takes.
  store: new MemcachedStore({ servers: memcached.split(','), operationTimeoutMs: 5_000 }),
  secret: SECRET,
  idleTimeout: TTL_SECONDS,
}
