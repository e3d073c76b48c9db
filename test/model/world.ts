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
  subject: Subject | undefined
  end: { at: number; how: 'destroyed' | 'regenerated'; successor?: ModelSession } | undefined
  /** How often it was written. */
  writes: number
  /** Until when the store has it: two bounds, since a failure may leave that open. */
  kept: { atLeast: number; atMost: number }
}

export interface Subject {
  id: string
  epoch: number
}

/** All sessions there ever were, and the time. */
export class World {
  now: number
  readonly sessions: ModelSession[] = []
  readonly #epochs = new Map<string, number>()

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
    if (!session || !this.isKept(session)) return 'none'
    if (session.end) return this.now - session.end.at < ENDED_MS ? 'ended' : 'none'
    return session.deadline > this.now && !this.isRevoked(session.subject) ? 'live' : 'none'
  }

  isKept({ kept }: ModelSession): boolean {
    return kept.atLeast > this.now
  }

  keep(session: ModelSession, seconds: number): void {
    const until = this.now + seconds * 1000
    session.kept = { atLeast: until, atMost: until }
  }

  /** Something restarted its time to live, or nothing did. */
  blur({ kept }: ModelSession): void {
    kept.atLeast = Math.min(kept.atLeast, this.now + 1000)
    kept.atMost = Math.max(kept.atMost, this.now + AGES * 1000)
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

  tie(id: string): Subject {
    return { id, epoch: this.#epochs.get(id) ?? 0 }
  }

  /** Losing the mark of a subject comes to the same. */
  revokeAll(id: string): void {
    this.#epochs.set(id, this.tie(id).epoch + 1)
  }

  isRevoked(subject: Subject | undefined): boolean {
    return subject !== undefined && this.tie(subject.id).epoch !== subject.epoch
  }
}
