import type { ModelTimeouts } from './model-request.ts'
import { IDLE } from './world.ts'

/** Small, so that it strikes. */
export const CAP = 2

const SEEN_STEP_MS = 600_000
const DAY_MS = 86_400_000

/** A device in a user's list: one session after the other, as its token changes. */
export interface Entry {
  /** Learnt when it is listed. */
  id: string | undefined
  readonly userId: string
  /** Whose mark it stands in. */
  readonly secret: string
  label: string | undefined
  signedInAt: number
  lastSeenAt: number
  idle: number | false
  until: number
}

interface Mark {
  until: number
  entries: Entry[]
}

/** What E9 and E10 say of the lists of users' sessions. */
export class ModelMarks {
  readonly #marks = new Map<string, Mark>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  entries(userId: string, secrets: readonly string[]): Entry[] {
    return secrets.flatMap((secret) => this.#find(userId, secret)?.entries ?? [])
  }

  isListed(entry: Entry): boolean {
    return this.entries(entry.userId, [entry.secret]).includes(entry)
  }

  /** As an application is shown them. */
  shown(userId: string, secrets: readonly string[]): Entry[] {
    return this.entries(userId, secrets)
      .filter((entry) => !this.hasRunOut(entry))
      .toSorted((left, right) => right.lastSeenAt - left.lastSeenAt || right.signedInAt - left.signedInAt)
  }

  add(entry: Entry): void {
    this.#write(entry, [...this.entries(entry.userId, [entry.secret]), entry])
  }

  change(entry: Entry, changes: Partial<Entry>): void {
    Object.assign(entry, changes)
    this.#write(entry, this.entries(entry.userId, [entry.secret]))
  }

  remove(userId: string, secrets: readonly string[], isMeant: (entry: Entry) => boolean): void {
    for (const secret of secrets) {
      const entries = this.entries(userId, [secret])
      const rest = entries.filter((entry) => !isMeant(entry))
      if (rest.length < entries.length) this.#write({ userId, secret }, rest)
    }
  }

  delist(entry: Entry): void {
    this.remove(entry.userId, [entry.secret], (each) => each === entry)
  }

  /** The cap: what has run out goes first, then what was not seen longest, never the one that just began. Says how many. */
  makeRoom(own: Entry, secrets: readonly string[]): number {
    // What ran out a day ago was not listed.
    if (!this.isListed(own)) return 0
    const others = this.entries(own.userId, secrets).filter((entry) => entry !== own)
    const rank = (entry: Entry) => (this.hasRunOut(entry) ? -Infinity : entry.lastSeenAt)
    const byAge = others.toSorted((left, right) =>
      this.hasRunOut(left) && this.hasRunOut(right)
        ? left.lastSeenAt - right.lastSeenAt
        : rank(left) - rank(right),
    )
    const surplus = new Set(byAge.slice(0, Math.max(0, others.length + 1 - CAP)))
    this.remove(own.userId, secrets, (entry) => surplus.has(entry))
    return surplus.size
  }

  /** Whether a load writes down that the session is seen. */
  isToBeSeen(entry: Entry): boolean {
    return this.isListed(entry) && this.#now() - entry.lastSeenAt >= SEEN_STEP_MS
  }

  /** With the timeouts that its session has by then. */
  see(entry: Entry, { idle, deadline }: { idle: number | false | undefined; deadline: number }): void {
    this.change(entry, { lastSeenAt: this.#now(), idle: idleOf(idle), until: deadline })
  }

  hasRunOut({ until, idle, lastSeenAt }: Entry): boolean {
    const now = this.#now()
    return until <= now || (idle !== false && lastSeenAt + idle * 1000 + SEEN_STEP_MS <= now)
  }

  lose(): void {
    this.#marks.clear()
  }

  #find(userId: string, secret: string): Mark | undefined {
    const mark = this.#marks.get(`${secret}: ${userId}`)
    return mark && mark.until + DAY_MS > this.#now() ? mark : undefined
  }

  #write({ userId, secret }: Pick<Entry, 'userId' | 'secret'>, entries: Entry[]): void {
    const until = Math.max(this.#find(userId, secret)?.until ?? 0, ...entries.map((entry) => entry.until))
    const kept = entries.filter((entry) => this.#now() < entry.until + DAY_MS)
    this.#marks.set(`${secret}: ${userId}`, { until, entries: kept })
  }
}

/** What timeouts mean for an entry. */
export function entryTimes({ idle, deadline }: ModelTimeouts): Partial<Pick<Entry, 'idle' | 'until'>> {
  return { ...(idle !== undefined && { idle }), ...(deadline !== undefined && { until: deadline }) }
}

export function idleOf(idle: number | false | undefined): number | false {
  return idle ?? IDLE
}
