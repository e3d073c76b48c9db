import { isDeepStrictEqual } from 'node:util'
import { findUserFaults } from './find-user-faults.ts'
import {
  endsOf,
  firstTokenOf,
  isAcknowledged,
  isEnd,
  isWrite,
  keyOf,
  keysOf,
  mayBeEnded,
  readersIn,
  writersTo,
  type Data,
  type Entry,
  type History,
  type Reader,
  type Step,
} from './history.ts'

/** A list to which every request that writes appends: it then tells in which order they were applied. */
export const ORDER = 'order'

/**
 * What a history shows that must not be, a sentence each. A write that was acknowledged is in everything that was read
 * afterwards, once; one that was not may be, once, since its reply may have been lost. An end that was acknowledged is
 * the end. Every value is set by one request only, so that it says whose it is.
 */
export function findFaults(history: History): string[] {
  return [
    ...findStrayCookies(history),
    ...findLifeAfterEnd(history),
    ...findSpentTwice(history),
    ...readersIn(history).flatMap((reader) => findWrong(reader, history)),
    ...findContradictions(history),
    ...findUserFaults(history),
  ]
}

/** Only who begins or ends a session has something to tell the browser. */
function findStrayCookies(history: History): string[] {
  return history
    .filter((entry) => entry.token !== '' && !isEnd(entry) && entry.setCookie !== undefined)
    .map(({ id }) => `${id} only read or wrote, and its response set a cookie`)
}

function findLifeAfterEnd(history: History): string[] {
  return history.flatMap((entry) => {
    const isRead = entry.status === 200 && Object.keys(entry.read ?? {}).length > 0
    const hasWritten = isWrite(entry) && !isEnd(entry) && isAcknowledged(entry)
    if (entry.token === '' || !(isRead || hasWritten)) return []
    const does = isRead ? 'read' : 'wrote'
    return endsOf(entry.token, entry.began, history).map(
      ({ id }) => `${entry.id} ${does}, though it began after ${id} had ended the session`,
    )
  })
}

/** By `take` and `save()`; the commit after the handler may let two requests have one value. */
function findSpentTwice(history: History): string[] {
  const spenders = new Map<string, string>()
  const faults: string[] = []
  for (const { id, taken } of history.filter((entry) => entry.isExplicit && isAcknowledged(entry))) {
    for (const value of taken) {
      if (value === null) continue
      const spender = spenders.get(value)
      if (spender !== undefined) faults.push(`${id} was handed out ${value}, and ${spender} was, too`)
      spenders.set(value, id)
    }
  }
  return faults
}

/** What a reader saw, against what had been acknowledged by then and what can have been asked. */
function findWrong(reader: Reader, history: History): string[] {
  const { token, read, began, ended } = reader
  if (Object.keys(read).length === 0 && mayBeEnded(token, ended, history)) return []
  const asked = writersTo(token, history, false).filter((entry) => entry.began < ended)
  const settled = writersTo(token, history, true).filter((entry) => entry.ended < began)
  const keys = new Set([...Object.keys(read), ...asked.flatMap(keysOf)])
  const wrong = [...keys].flatMap((key) => {
    const at = (entry: Entry) => keysOf(entry).includes(key)
    return findWrongValue(key, read[key], asked.filter(at), settled.filter(at))
  })
  return [...wrong, ...findWrongOrder(read, asked)].map((what) => `${reader.id} read ${what}`)
}

/** What can be said of a key without knowing in which order its writers came. */
function findWrongValue(key: string, value: unknown, asked: Entry[], settled: Entry[]): string[] {
  const steps = stepsAt(key, asked)
  const [step] = steps
  if (!step) return [`${key} = ${JSON.stringify(value)}, which nobody wrote`]
  if (steps.some(({ type }) => type !== step.type)) return []
  switch (step.type) {
    case 'append':
      return findWrongList(key, (value ?? []) as string[], asked, settled)
    case 'increment': {
      const [most, least] = [asked, settled].map((entries) => stepsAt(key, entries).length)
      const count = (value ?? 0) as number
      if (count >= least! && count <= most!) return []
      return [`${key} = ${count}, with ${least} acknowledged of ${most} asked`]
    }
    case 'set':
      if (steps.length > 1 || value === step.value) return []
      if (value !== undefined) return [`${key} = ${JSON.stringify(value)}, which nobody wrote`]
      return settled.map(({ id }) => `no ${key}: ${id} is lost`)
    default:
      return []
  }
}

function stepsAt(key: string, entries: Entry[]): Step[] {
  return entries.flatMap(({ steps }) => steps).filter((step) => keyOf(step) === key)
}

function findWrongList(key: string, ids: string[], asked: Entry[], settled: Entry[]): string[] {
  const askedIds = new Set(asked.map(({ id }) => id))
  const found = new Set(ids)
  const unasked = [...found].filter((id) => !askedIds.has(id))
  const twice = found.size < ids.length ? ids.filter((id, index) => ids.indexOf(id) !== index) : []
  const lost = settled.filter(({ id }) => !found.has(id))
  return [
    ...unasked.map((id) => `${id} in ${key}, which was not asked, was refused or came too late`),
    ...twice.map((id) => `${id} in ${key} twice`),
    ...lost.map(({ id }) => `no ${id} in ${key}: it is lost`),
  ]
}

/** All that was read must follow from its writers, one after the other as the list has them. */
function findWrongOrder(read: Data, asked: Entry[]): string[] {
  if (!asked.every((entry) => keysOf(entry).includes(ORDER))) return []
  const entries = new Map(asked.map((entry) => [entry.id, entry]))
  const writers = orderIn(read).flatMap((id) => entries.get(id) ?? [])
  const wrong: string[] = []
  const data: Data = {}
  let latest: Entry | undefined
  for (const writer of writers) {
    if (latest && isAcknowledged(writer) && writer.ended < latest.began)
      wrong.push(`${writer.id} behind ${latest.id}, which began when it had been acknowledged`)
    if (!latest || writer.began > latest.began) latest = writer
    wrong.push(...apply(writer, data))
  }
  for (const key of new Set([...Object.keys(read), ...Object.keys(data)])) {
    if (isDeepStrictEqual(read[key], data[key])) continue
    const [found, due] = [read[key], data[key]].map((value) => JSON.stringify(value) ?? 'nothing')
    wrong.push(`${key} = ${found}, but ${due} follows from its writers in order`)
  }
  return wrong
}

/** Does to the data what the writer did; says what it cannot have done there. */
function apply({ id, steps, isExplicit, taken }: Entry, data: Data): string[] {
  const wrong: string[] = []
  const values = taken.values()
  for (const step of steps) {
    switch (step.type) {
      case 'set':
        data[step.key] = step.value
        break
      case 'delete':
        delete data[step.key]
        break
      case 'increment':
        data[step.key] = ((data[step.key] ?? 0) as number) + 1
        break
      case 'append':
        data[step.key] = [...((data[step.key] ?? []) as string[]), id]
        break
      case 'take': {
        const { value = null } = values.next()
        if (value === null) break
        if (data[step.key] === value) delete data[step.key]
        else if (isExplicit) wrong.push(`${id} taking ${value} from ${step.key}, gone by then`)
      }
    }
  }
  return wrong
}

/** Two readers saw the writers in two orders, or the later one an older state. */
function findContradictions(history: History): string[] {
  const readers = readersIn(history).filter(({ read }) => ORDER in read)
  const sessions = new Map<string, Reader[]>()
  for (const reader of readers.toSorted(
    (left, right) => orderIn(left.read).length - orderIn(right.read).length,
  )) {
    const first = firstTokenOf(reader.token, history)
    sessions.set(first, [...(sessions.get(first) ?? []), reader])
  }
  return [...sessions.values()].flatMap((own) =>
    own.flatMap((longer, index) => findContradiction(longer, own.slice(0, index))),
  )
}

/** `shorter`: those who saw as many writers or fewer, the most last. */
function findContradiction(longer: Reader, shorter: Reader[]): string[] {
  const order = orderIn(longer.read)
  const faults = shorter
    .filter(({ read, began }) => orderIn(read).length < order.length && began > longer.ended)
    .map(({ id }) => `${id} read an older state than ${longer.id} before it`)
  const previous = shorter.at(-1)
  const start = previous ? orderIn(previous.read) : []
  if (previous && !isDeepStrictEqual(start, order.slice(0, start.length)))
    faults.push(`${longer.id} and ${previous.id} read the writers in two orders`)
  return faults
}

function orderIn(read: Data): string[] {
  return (read[ORDER] ?? []) as string[]
}
