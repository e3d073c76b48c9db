// Compiled by `tsc`, never run: a line that compiles where it should not fails through its @ts-expect-error.
import { expectTypeOf } from 'vitest'
import { createSessionManager } from 'holdfast'
import { issueSession, readSession } from 'holdfast/testing'
import type { Data } from './data.ts'

const manager = createSessionManager<Data>()

export async function testing(response: Response) {
  expectTypeOf(await issueSession(manager, { views: 1 })).toEqualTypeOf<string>()
  await issueSession(manager, {}, { user: 'u1', timeouts: { idle: false, persistent: false } })
  expectTypeOf(await readSession(manager, response)).toEqualTypeOf<Partial<Data> | undefined>()
  await readSession(manager, 'a=b')
  await readSession(manager, { headers: { 'set-cookie': ['a=b'], 'content-type': 'text/html' } })
  await readSession(manager, { headers: { 'set-cookie': 'a=b' } })

  // @ts-expect-error a string
  await issueSession(manager, {}, { user: 1 })
  // @ts-expect-error the user's name is `user`
  await issueSession(manager, {}, { userId: 'u1' })
  // @ts-expect-error no such timeout
  await issueSession(manager, {}, { timeouts: { ttl: 1 } })
  // @ts-expect-error not awaited
  await readSession(manager, Promise.resolve(response))
  // @ts-expect-error no response
  await readSession(manager, { status: 200 })
}
