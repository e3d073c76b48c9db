import { randomUUID } from 'node:crypto'
import type { Session, SessionOptions } from 'holdfast'
import { MemcachedStore } from 'holdfast/memcached'
import { sampleData, type Data } from '../sample-data.ts'
import { memcached, redisClient, SECRET, TTL_SECONDS } from './listening.ts'

// A deadline that a busy machine keeps: nothing here measures how long an answer takes.
const bounds = { operationTimeoutMs: 5_000 }
const client = await redisClient()

/** The defaults, but for what all peers are given. */
export const holdfastOptions: SessionOptions = {
  store: client
    ? new (await import('holdfast/redis')).RedisStore(client, bounds)
    : new MemcachedStore({ servers: memcached.split(','), ...bounds }),
  secret: SECRET,
  idleTimeout: TTL_SECONDS,
}

/** Gives back what to answer. */
export function signIn(session: Session<Data>): string {
  for (const [key, value] of Object.entries(sampleData())) session.set(key as keyof Data, value)
  return 'signed in'
}

/** Each visitor is a user of his own. */
export function signInUser(session: Session<Data>): string {
  session.signIn(randomUUID())
  return signIn(session)
}
