import { AsyncLocalStorage } from 'node:async_hooks'
import type fc from 'fast-check'
import { vi } from 'vitest'
import { createSessionManager, MemoryStore, type Session, type SessionManager } from '../../src/core/index.ts'
import { secret } from '../support/stores.ts'
import { tokenOf, visitOk } from '../support/visit.ts'
import { scheduledStore, type Failure } from './scheduled-store.ts'

export type Deed =
  | 'set'
  | 'update'
  | 'take'
  | 'regenerateId'
  | 'destroy'
  | 'setTimeouts'
  | 'setSubject'
  | 'revokeAll'

/** What one request of the session does. */
export interface Script {
  deeds: readonly Deed[]
  manager: number
  readsFirst: boolean
  /** When it calls `save()`: before the commit, or after its first deed, and goes on without waiting for it. */
  saves: 'first' | 'meanwhile' | 'never'
  /** What the browser asks for next, with the cookie that it was given, if it was. */
  next: Script | undefined
}

/** Requests of one session that meet. */
export interface Encounter {
  scripts: readonly Script[]
  failures: ReadonlyMap<number, Failure>
  /** The time that each reply takes of every budget. */
  replyMs: number
  /** Whether commits that wait for others look up in between. */
  isImpatient: boolean
}

/** What became of a request. */
export interface Report {
  script: Script
  name: string
  /** It found the session before it did anything. */
  wasLive: boolean
  /** It came with the cookie of another session, begun when the one they meet on had ended. */
  isStranger: boolean
  events: string[]
  /** It saved, was told of no loss and answered. */
  isAcknowledged: boolean
  /** It took the ticket, and its `save()` resolved. */
  hasSpent: boolean
  /** What its commit rejected with. */
  error: unknown
  /** The token that it came with, and the one that its response hands out. */
  came: string
  token: string | undefined
}

/** What is left when all has come to rest. */
export interface Aftermath {
  reports: Report[]
  /** What the session holds, under each token that left the process and still finds it. */
  live: Record<string, unknown>[]
}

const ORIGIN = 'origin'
const SUBJECT = 'ann'
/** How long a commit waits for the one before it until it looks whether that is still worth it. */
const LOOK_MS = 50

const reporting = new AsyncLocalStorage<Report>()

/** Lets them meet in the order that the scheduler says; no real time passes. */
export async function meet(scheduler: fc.Scheduler, encounter: Encounter): Promise<Aftermath> {
  const { scripts, failures, replyMs, isImpatient } = encounter
  const memory = new MemoryStore()
  const plain = createSessionManager({ store: memory, secret })
  const { cookie } = await visitOk(plain, undefined, (session) => {
    session.set(ORIGIN, true)
    session.set('n', 0)
    session.set('ticket', 'T1')
    session.setSubject(SUBJECT)
  })
  let ms = 0
  const who = () => reporting.getStore()?.name ?? 'nobody'
  const store = scheduledStore(memory, scheduler, failures, who, () => {
    ms += replyMs
  })
  const managers = [0, 1].map(() =>
    createSessionManager({
      store,
      secret,
      onEvent: ({ type }) => reporting.getStore()?.events.push(type),
    }),
  )
  vi.stubGlobal('setTimeout', (act: () => void, timeoutMs: number) => {
    // A pause between two attempts is of random length; all else are deadlines, which nobody is to miss.
    const isPause = !Number.isInteger(timeoutMs) || (isImpatient && timeoutMs <= LOOK_MS)
    if (isPause) void scheduler.schedule(Promise.resolve(), 'a pause ends').then(act)
  })
  vi.spyOn(performance, 'now').mockImplementation(() => ms)
  try {
    const all = scripts.map(async (script, index) => {
      await scheduler.schedule(Promise.resolve(), `request ${index} begins`)
      return follow(script, `request ${index}`, managers, cookie)
    })
    const reports = (await scheduler.waitFor(Promise.all(all))).flat()
    await scheduler.waitIdle()
    const tokens = [tokenOf(cookie), ...reports.flatMap(({ token }) => token ?? [])]
    const live = await Promise.all([...new Set(tokens)].map((token) => lookAt(plain, token)))
    return { reports, live: live.filter((data) => data?.[ORIGIN]) as Aftermath['live'] }
  } finally {
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  }
}

async function follow(
  script: Script,
  name: string,
  managers: SessionManager[],
  cookie: string,
  isStranger = false,
): Promise<Report[]> {
  const report: Report = {
    script,
    name,
    wasLive: false,
    isStranger,
    events: [],
    isAcknowledged: false,
    hasSpent: false,
    error: undefined,
    came: tokenOf(cookie),
    token: undefined,
  }
  await reporting.run(report, () => handle(report, managers[script.manager]!, cookie))
  if (!script.next || report.token === undefined) return [report]
  const next = `__Host-session=${report.token}`
  const isAnother = isStranger || report.events.includes('created')
  return [report, ...(await follow(script.next, `${name}, then`, managers, next, isAnother))]
}

async function handle(report: Report, manager: SessionManager, cookie: string): Promise<void> {
  const { script, name, events } = report
  const session = manager.open(cookie)
  const headers = new Headers()
  let status = 200
  let ticket: unknown
  try {
    if (script.readsFirst || script.deeds.includes('destroy')) report.wasLive = await session.exists()
    for (const [index, deed] of script.deeds.entries()) {
      const taken = await perform(deed, name, session, manager)
      if (deed === 'take') ticket = taken
      if (index === 0 && script.saves === 'meanwhile') session.save().catch(() => {})
    }
  } catch {
    status = 500
  }
  if (script.saves === 'first' && status === 200) {
    // What it rejects with, the commit goes on with.
    const isSaved = await session.save().then(
      () => true,
      () => false,
    )
    report.hasSpent = isSaved && ticket !== undefined
  }
  try {
    await manager.commit(session, () => ({ status, headers }))
  } catch (error) {
    report.error = error
  }
  const isLost = events.includes('dropped') || events.includes('missing')
  report.isAcknowledged = status === 200 && report.error === undefined && !isLost
  report.token = headers.get('set-cookie')?.match(/^__Host-session=([^;]+)/)?.[1]
}

function perform(deed: Deed, name: string, session: Session, manager: SessionManager): unknown {
  switch (deed) {
    case 'set':
      return session.set(name, true)
    case 'update':
      return session.update('n', (n: number = 0) => n + 1)
    case 'take':
      return session.take('ticket')
    case 'regenerateId':
      return session.regenerateId()
    case 'destroy':
      return session.destroy()
    case 'setTimeouts':
      return session.setTimeouts({ idle: 1_000 })
    case 'setSubject':
      return session.setSubject(SUBJECT)
    case 'revokeAll':
      return manager.revokeAll(SUBJECT)
  }
}

async function lookAt(manager: SessionManager, token: string): Promise<Record<string, unknown> | undefined> {
  const session = manager.open(`__Host-session=${token}`)
  return (await session.exists()) ? session.entries() : undefined
}
