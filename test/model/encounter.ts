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
  | 'ann signs in'
  | 'bob signs in'
  | 'revoke'
  | 'revokeAll'
  | 'revokeOthers'

/** What one request of the session does. */
export interface Script {
  deeds: readonly Deed[]
  /** It comes from another browser, which has no cookie yet. */
  isElsewhere: boolean
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
  /** The session is Ann's, and no anonymous one. */
  isAnns: boolean
  cap: number
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
  /** The browser that it comes from: of a script, or of none for all that share the session. */
  browser: string
  /** It found the session before it did anything. */
  wasLive: boolean
  /** Its answer is about the session that all meet on, and not about one begun since. */
  isOfTheSession: boolean
  /** Whose session it left. */
  userId: string | undefined
  revocations: Revocation[]
  events: string[]
  /** It saved, was told of no loss and answered. */
  isAcknowledged: boolean
  /** It took the ticket, and its `save()` resolved. */
  hasSpent: boolean
  /** What its commit rejected with. */
  error: unknown
  /** The token that it came with, and the one that its response hands out. */
  came: string | undefined
  token: string | undefined
  answeredAt: number
}

export interface Revocation {
  /** Of one session, or none for all. */
  id: string | undefined
  isButOwn: boolean
  begunAt: number
  isAcknowledged: boolean
}

/** A token that left the process, and what it still finds. */
export interface Live {
  token: string
  data: Record<string, unknown>
  userId: string | undefined
  isListed: boolean
}

/** What is left when all has come to rest. */
export interface Aftermath {
  reports: Report[]
  /** The token that all of the session's requests came with first. */
  origin: string
  /** Of another device of Ann's, which asks nothing. */
  laptop: string
  lives: Live[]
  /** The ids in each user's list. */
  lists: { ann: string[]; bob: string[] }
}

export const ORIGIN = 'origin'
/** How long a commit waits for the one before it until it looks whether that is still worth it. */
const LOOK_MS = 50

/** Counts beginnings and answers, to tell which came first. */
let moment = 0

const reporting = new AsyncLocalStorage<Report>()

/** Lets them meet in the order that the scheduler says; no real time passes. */
export async function meet(scheduler: fc.Scheduler, encounter: Encounter): Promise<Aftermath> {
  const { scripts, failures, replyMs, isImpatient, isAnns, cap } = encounter
  const memory = new MemoryStore()
  const secrets = [secret, `a new ${secret}`]
  const plain = createSessionManager({ store: memory, secret: secrets })
  const { cookie: laptop } = await visitOk(plain, undefined, (session) => session.signIn('ann'))
  const { cookie } = await visitOk(plain, undefined, (session) => {
    session.set(ORIGIN, true)
    session.set('n', 0)
    session.set('ticket', 'T1')
    if (isAnns) session.signIn('ann')
  })
  let ms = 0
  const who = () => reporting.getStore()?.name ?? 'nobody'
  const store = scheduledStore(memory, scheduler, failures, who, () => {
    ms += replyMs
  })
  // In the middle of a rotation; but two that sign in under two secrets at once may push each other out.
  const managers = [secrets, cap === 20 ? secrets.toReversed() : secrets].map((secret) =>
    createSessionManager({
      store,
      secret,
      maxSessionsPerUser: cap,
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
      return script.isElsewhere
        ? follow(script, `request ${index}`, `browser ${index}`, managers, undefined)
        : follow(script, `request ${index}`, 'browser', managers, cookie)
    })
    const reports = (await scheduler.waitFor(Promise.all(all))).flat()
    await scheduler.waitIdle()
    const tokens = [tokenOf(laptop), tokenOf(cookie), ...reports.flatMap(({ token }) => token ?? [])]
    const lives = await Promise.all([...new Set(tokens)].map((token) => lookAt(plain, token)))
    const [ann, bob] = await Promise.all(
      ['ann', 'bob'].map(async (userId) => (await plain.listSessions(userId)).map(({ id }) => id)),
    )
    return {
      reports,
      origin: tokenOf(cookie),
      laptop: tokenOf(laptop),
      lives: lives.flatMap((live) => live ?? []),
      lists: { ann: ann!, bob: bob! },
    }
  } finally {
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  }
}

async function follow(
  script: Script,
  name: string,
  browser: string,
  managers: SessionManager[],
  cookie: string | undefined,
): Promise<Report[]> {
  const report: Report = {
    script,
    name,
    browser,
    wasLive: false,
    isOfTheSession: false,
    userId: undefined,
    revocations: [],
    events: [],
    isAcknowledged: false,
    hasSpent: false,
    error: undefined,
    came: cookie && tokenOf(cookie),
    token: undefined,
    answeredAt: Infinity,
  }
  await reporting.run(report, () => handle(report, managers[script.manager]!, cookie))
  if (!script.next || report.token === undefined) return [report]
  const next = `__Host-session=${report.token}`
  return [report, ...(await follow(script.next, `${name}, then`, browser, managers, next))]
}

async function handle(report: Report, manager: SessionManager, cookie: string | undefined): Promise<void> {
  const { script, events } = report
  const session = manager.open(cookie)
  const headers = new Headers()
  let status = 200
  let ticket: unknown
  try {
    if (script.readsFirst || script.deeds.includes('destroy')) report.wasLive = await session.has(ORIGIN)
    for (const [index, deed] of script.deeds.entries()) {
      const taken = await perform(deed, report, session, manager)
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
  if (report.isAcknowledged && !script.deeds.includes('destroy')) {
    // It knows, unless it never asked.
    report.isOfTheSession = await session.has(ORIGIN).catch(() => false)
    report.userId = await session.userId().catch(() => undefined)
  }
  report.answeredAt = ++moment
}

function perform(deed: Deed, report: Report, session: Session, manager: SessionManager): unknown {
  switch (deed) {
    case 'set':
      return session.set(report.name, true)
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
    case 'ann signs in':
      return session.signIn('ann')
    case 'bob signs in':
      return session.signIn('bob')
    case 'revoke':
      return revokeLast(report, manager)
    case 'revokeAll':
      return revoke(report, undefined, false, () => manager.revokeAll('ann'))
    case 'revokeOthers':
      return revoke(report, undefined, true, () => manager.revokeAll('ann', { except: session }))
  }
}

/** The device that Ann has used longest ago. */
async function revokeLast(report: Report, manager: SessionManager): Promise<void> {
  const { id } = (await manager.listSessions('ann')).at(-1) ?? {}
  if (id !== undefined) await revoke(report, id, false, () => manager.revoke('ann', id))
}

async function revoke(
  { revocations }: Report,
  id: string | undefined,
  isButOwn: boolean,
  run: () => Promise<void>,
): Promise<void> {
  const revocation: Revocation = { id, isButOwn, begunAt: ++moment, isAcknowledged: false }
  revocations.push(revocation)
  await run()
  revocation.isAcknowledged = true
}

async function lookAt(manager: SessionManager, token: string): Promise<Live | undefined> {
  const session = manager.open(`__Host-session=${token}`)
  if (!(await session.exists())) return undefined
  const userId = await session.userId()
  const list = userId === undefined ? [] : await manager.listSessions(userId, { current: session })
  const isListed = list.some(({ isCurrent }) => isCurrent)
  return { token, data: await session.entries(), userId, isListed }
}
