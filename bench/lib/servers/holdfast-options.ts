import { randomUUID } from 'node:crypto'
import type { Session, SessionOptions } from 'holdfast'
import { MemcachedStore } from 'holdfast/memcached'
import { sampleData, type Data } from '../sample-data.ts'
import { memcached, SECRET, TTL_SECONDS } from './listening.ts'

/** The defaults, but for what all peers are given. */
export const holdfastOptions: SessionOptions = {
  // A deadline that a busy machine keeps: nothing here measures how long an answer takes.
  store: new MemcachedStore({ servers: memcached.split(','), operationTimeoutMs: 5_000 }),
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
