import { ModelMarks, type Entry } from './model-marks.ts'
import type { Data } from './steps.ts'

/** The manager's timeouts in these tests, in seconds. */
export const IDLE = 600
export const ABSOLUTE = 7_200

const ENDED_MS = 30_000
/** Longer than anything is kept here, in seconds. */
const AGES = 10_000_000

/** What stands, or stood, under one token. */
export interface ModelSession {
  /** Where the store has it; learnt when it is made. */
  key: string
  /** Learnt when it leaves in a Set-Cookie. */
  token: string | undefined
  data: Data
  deadline: number
  idle: number | false | undefined
  isPersistent: boolean
  /** In its user's list; none for an anonymous session. */
  entry: Entry | undefined
  end: ModelEnd | undefined
  /** The secret that it was written with last. */
  sealedBy: string
  /** How often it was written. */
  writes: number
  /** Until when the store has it: two bounds, since a failure may leave that open. And when the request was loaded that saw to it. */
  kept: { atLeast: number; atMost: number; loadedAt: number }
}

export interface ModelEnd {
  at: number
  how: 'destroyed' | 'regenerated'
  /** The session that goes on, and whose it is. */
  successor?: ModelSession | undefined
  userId?: string | undefined
}

/** All sessions there ever were, and the time. */
export class World {
  now: number
  readonly sessions: ModelSession[] = []
  /** What happened to users, of what seldom does. */
  readonly reached = new Set<string>()
  readonly marks = new ModelMarks(() => this.now)
  /** Of the servers, the first one seals. */
  secrets = ['secret 0']
  #nextSecret = 1

  constructor(now: number) {
    this.now = now
  }

  /** Where it is open whether the store still has a session, the store is asked. */
  pass(seconds: number, isStored: (key: string) => boolean): void {
    this.now += seconds * 1000
    for (const { key, kept } of this.sessions) {
      if (kept.atLeast > this.now || kept.atMost <= this.now) continue
      if (isStored(key)) kept.atLeast = this.now + 1
      else kept.atMost = this.now
    }
  }

  find(token: string | undefined): ModelSession | undefined {
    return token === undefined ? undefined : this.sessions.find((session) => session.token === token)
  }

  /** What a fresh request finds: C1, C2, E6, E9. */
  look(session: ModelSession | undefined): 'live' | 'ended' | 'none' {
    if (!session || !this.isReadable(session)) return 'none'
    if (session.end) return this.now - session.end.at < ENDED_MS ? 'ended' : 'none'
    return session.deadline > this.now && this.isListed(session) ? 'live' : 'none'
  }

  /** E9, G3: anonymous, or in a list that its user can still be signed out of. */
  isListed({ entry }: ModelSession): boolean {
    return !entry || (this.secrets.includes(entry.secret) && this.marks.isListed(entry))
  }

  /** G3. */
  isReadable(session: ModelSession): boolean {
    return this.isKept(session) && this.secrets.includes(session.sealedBy)
  }

  /** The session that goes on, through later sign-ins of the same user (E7). */
  lastOf(session: ModelSession | undefined, userId: string): ModelSession | undefined {
    if (!session || !this.isReadable(session)) return undefined
    if (!session.end) return session.deadline > this.now && session.entry ? session : undefined
    return session.end.userId === userId ? this.lastOf(session.end.successor, userId) : undefined
  }

  /** What the next of a rotation's three deployments makes of the list of secrets. */
  get isDropNext(): boolean {
    return this.secrets.length === 2 && this.secrets[0] === `secret ${this.#nextSecret - 1}`
  }

  /** The new one last, then first, then alone (G3). */
  rotate(): void {
    const [first, second] = this.secrets as [string, string | undefined]
    if (second === undefined) this.secrets = [first, `secret ${this.#nextSecret++}`]
    else this.secrets = this.isDropNext ? [first] : [second, first]
  }

  isKept({ kept }: ModelSession): boolean {
    return kept.atLeast > this.now
  }

  keep(session: ModelSession, seconds: number, loadedAt: number = this.now): void {
    const until = this.now + seconds * 1000
    session.kept = { atLeast: until, atMost: until, loadedAt }
  }

  /** Something restarted its time to live, or nothing did. */
  blur({ kept }: ModelSession): void {
    kept.atLeast = Math.min(kept.atLeast, this.now + 1000)
    kept.atMost = Math.max(kept.atMost, this.now + AGES * 1000)
  }

  /** A failed commit may have restarted the time to live of an idle timeout that is none any more: then it outlives what its list knows. */
  isBlurred({ kept }: ModelSession): boolean {
    return kept.atLeast !== kept.atMost
  }

  /**
   * Only a load writes down that a session is seen, but a commit prolongs it as well: the list is behind it by as long as
   * that request was open, and not by more.
   */
  outlivesItsList({ kept, entry }: ModelSession): boolean {
    return entry !== undefined && entry.idle !== false && kept.loadedAt + entry.idle * 1000 <= this.now
  }

  evict(session: ModelSession): void {
    this.keep(session, 0)
  }

  /** C3: the idle timeout, or what is left of the absolute one. */
  secondsOf({ idle = IDLE, deadline }: ModelSession): number {
    const left = this.secondsUntil(deadline)
    return idle === false ? left : Math.min(idle, left)
  }

  secondsUntil(deadline: number): number {
    return Math.max(1, Math.ceil((deadline - this.now) / 1000))
  }
}
