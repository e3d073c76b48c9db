import { expect } from 'vitest'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import type { SessionStore, StoredRecord } from '../../src/core/stores/store.ts'

export type Operation = 'get' | 'peek' | 'get of nothing' | 'peek of nothing' | 'add' | 'replace'

export const mixed: Operation[] = ['get', 'add', 'get of nothing', 'replace', 'peek']

/** The record that is there, as the store says, or why it cannot say. */
export type Answer = { record: StoredRecord | undefined } | { error: unknown }

export type Verdict = 'exact' | 'missing' | 'error'

export interface Question {
  ask(): Promise<Answer>
  /** Fails for all but an outage and the truth, which is what the store finds when it is asked again. */
  judge(answer: Answer): Promise<Verdict>
}

/**
 * One operation, to be carried out when it is asked, on a record that names itself, so that a mixed-up reply is seen.
 * `patient` is a store on the same records that is not held to a short deadline.
 */
export async function prepare(
  store: SessionStore,
  operation: Operation,
  patient: SessionStore = store,
): Promise<Question> {
  const key = newKey()
  const name = key.slice(-6)
  const isThere = ['get', 'peek', 'replace'].includes(operation)
  const before = isThere ? await add(patient, key, `${name} as it was`) : undefined

  async function carryOut(): Promise<StoredRecord | undefined> {
    if (operation === 'add') return add(store, key, `${name} as written`)
    if (operation !== 'replace') return store.get(key, operation.startsWith('peek') ? undefined : 100)
    const bytes = new Uint8Array(Buffer.from(`${name} as written`))
    const answer = await store.replace(key, bytes, 100, before!.version)
    return answer.outcome === 'replaced' ? { bytes, version: answer.version } : undefined
  }

  return {
    ask: () =>
      carryOut().then(
        (record) => ({ record }),
        (error: unknown) => ({ error }),
      ),
    async judge(answer) {
      const found = await patient.get(key, 100)
      // An operation that failed may have been carried out, but nothing else may have happened.
      if (shown(found) !== shown(before)) expect(shown(found)).toContain(`${name} as written`)
      if ('error' in answer) {
        expect(answer.error).toBeInstanceOf(StoreUnavailableError)
        return 'error'
      }
      // A client that sends again by itself meets what it has written: that is no conflict, and no key that was taken (E4).
      expect(shown(answer.record)).toBe(shown(found))
      return found ? 'exact' : 'missing'
    },
  }
}

let lastKey = 0
export const newKey = () => String(++lastKey).padStart(43, 'k')

export async function add(store: SessionStore, key: string, text: string): Promise<StoredRecord | undefined> {
  const bytes = new Uint8Array(Buffer.from(text))
  const version = await store.add(key, bytes, 100)
  return version ? { bytes, version } : undefined
}

export function shown(record: StoredRecord | undefined): string {
  if (!record) return 'nothing'
  return `${Buffer.from(record.bytes)}, version ${Buffer.from(record.version as Uint8Array).toString('hex')}`
}

export async function prepareAll(
  store: SessionStore,
  operations: readonly Operation[],
  patient?: SessionStore,
): Promise<Question[]> {
  const questions: Question[] = []
  for (const operation of operations) questions.push(await prepare(store, operation, patient))
  return questions
}

/** All at the same time. */
export function askAll(questions: readonly Question[]): Promise<Answer[]> {
  return Promise.all(questions.map(({ ask }) => ask()))
}

export async function judgeAll(
  questions: readonly Question[],
  answers: readonly Answer[],
): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (const [index, { judge }] of questions.entries()) verdicts.push(await judge(answers[index]!))
  return verdicts
}
