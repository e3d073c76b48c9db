import { expect } from 'vitest'
import type { SessionStore } from '../../src/core/stores/store.ts'

const apples = new Uint8Array(Buffer.from('apples'))
const pears = new Uint8Array(Buffer.from('pears'))

/** Has a store do all that a store does, and what only a store that keeps versions can. */
export async function expectEveryOperation(store: SessionStore, key: string): Promise<void> {
  const first = await store.add(key, apples, 100)
  expect(await store.add(key, pears, 100)).toBeUndefined()
  expect(await store.get(key, 100)).toEqual({ bytes: apples, version: first })
  expect(await store.get(key, undefined)).toEqual({ bytes: apples, version: first })
  expect(await store.replace(key, pears, 100, first)).toMatchObject({ outcome: 'replaced' })
  expect(await store.replace(key, apples, 100, first)).toEqual({ outcome: 'conflict' })
  expect(await store.get(key, 100)).toMatchObject({ bytes: pears })
  await store.set(key, apples, 100)
  expect(await store.get(key, 100)).toMatchObject({ bytes: apples })
  await store.delete(key)
  expect(await store.get(key, 100)).toBeUndefined()
  expect(await store.get(key, undefined)).toBeUndefined()
}
