/**
 * What a request does, in this order: to its session, where `append` adds the request's own id to a list, and to its
 * user's, where `sign-in` has that id as label, `revoke-others` leaves the request's own, and `entry` is of a list.
 */
export type Step =
  | { type: 'set'; key: string; value: string }
  | { type: 'delete' | 'increment' | 'append' | 'take'; key: string }
  | { type: 'read' | 'destroy' | 'regenerate' }
  | { type: 'sign-in' | 'list' | 'revoke-others'; user: string }
  | { type: 'revoke'; user: string; entry: string }

export interface Request {
  id: string
  steps: Step[]
  /** Commits with `save()`; otherwise the commit after the handler does. */
  isExplicit: boolean
}

/** What the server knows of a request: its events, and what each of its takes gave it, `null` for nothing. */
export interface Outcome {
  events: string[]
  taken: (string | null)[]
  /** The code of what it failed with. */
  refusal?: string
}

/** What a request was told of its session, and of its user's. */
export interface Answer {
  /** All that the session held, for a request that reads. */
  read?: Data | undefined
  /** Whose the session was, for a request that reads. */
  user?: string | undefined
  listed?: Listed[] | undefined
}

/** A line of a user's list. */
export interface Listed {
  id: string
  /** The id of the request that signed in. */
  label: string | undefined
  isCurrent: boolean
}

/** One request of a history, as its client saw it; times are milliseconds on one clock. */
export interface Entry extends Request, Outcome, Answer {
  began: number
  ended: number
  /** What its cookie said; empty for none. */
  token: string
  /** 0 for no answer. */
  status: number
  /** The token that the response set; empty for a cookie that was cleared. */
  setCookie?: string | undefined
}

export interface Reader extends Entry {
  read: Data
}

export type Data = Record<string, unknown>
export type History = readonly Entry[]

/** Whether the client was told that it was done; what was dropped is not, whatever the status. */
export function isAcknowledged({ status, events }: Entry): boolean {
  return status === 200 && !events.includes('dropped') && !events.includes('missing')
}

/** Whether it was told that nothing was written, which is said only where it is known (E4). */
export function isToldNothing(entry: Entry): boolean {
  return entry.refusal === 'ERR_SESSION_ENDED' || (entry.status === 200 && !isAcknowledged(entry))
}

/**
 * Whether it can have been done: refused it was not, unless the store left it open what became of a write. Of a list of
 * sessions, which one request may write for several, that is an event of one of them, and an error of each.
 */
export function mayBeDone(entry: Entry): boolean {
  if (isAcknowledged(entry) || entry.status === 0) return true
  const isUnknown = entry.events.includes('store-error') || entry.refusal === 'ERR_STORE_UNAVAILABLE'
  return isUnknown && !isToldNothing(entry)
}

/** Whether it ends the session that it came with. */
export function isEnd(entry: Entry): boolean {
  return entry.steps.some(({ type }) => type === 'destroy' || type === 'regenerate') || isSignIn(entry)
}

export function isWrite(entry: Entry): boolean {
  return keysOf(entry).length > 0
}

/** Whether it asks for more than to look. */
export function isChange({ steps }: Entry): boolean {
  return steps.some(({ type }) => type !== 'read' && type !== 'list')
}

export function keysOf({ steps }: Entry): string[] {
  return steps.flatMap((step) => keyOf(step) ?? [])
}

export function keyOf(step: Step): string | undefined {
  return 'key' in step ? step.key : undefined
}

/** What must have ended the session of a request that began then. */
export function endsOf(token: string, then: number, history: History): Entry[] {
  return history.filter((entry) => {
    if (!isAcknowledged(entry) || entry.ended >= then) return false
    if (isEnd(entry)) return entry.token === token
    // A sign-in that overlaps a revocation may survive it.
    return revokes(entry, token, history) && answeredAt(token, history) < entry.began
  })
}

/** Whether something can have ended the session before then. */
export function mayBeEnded(token: string, then: number, history: History): boolean {
  return history.some((entry) => {
    if (entry.began >= then || !mayBeDone(entry)) return false
    if (isEnd(entry)) return entry.token === token
    // One that was not answered may strike later.
    const until = isAcknowledged(entry) ? entry.ended : Infinity
    return revokes(entry, token, history) && began(token, history) < until
  })
}

export function readersIn(history: History): Reader[] {
  return history.filter((entry): entry is Reader => entry.status === 200 && entry.read !== undefined)
}

/**
 * Who may have written what the token's session holds, back to where it was created; `isCertain`: only those who must
 * have.
 */
export function writersTo(token: string, history: History, isCertain: boolean): Entry[] {
  const isDone = isCertain ? isAcknowledged : mayBeDone
  const own = history.filter(
    (entry) => entry.token === token && isWrite(entry) && !isEnd(entry) && isDone(entry),
  )
  const creators = creatorsOf(token, history)
  const [creator] = creators
  if (!creator) return own
  const isInherited = creator.token !== '' && (!isCertain || isContinued(creator, history))
  const endedAt = Math.min(...creators.map(({ ended }) => ended))
  const inherited = isInherited
    ? writersTo(creator.token, history, isCertain).filter((entry) => entry.began < endedAt)
    : []
  // One that was not answered may have joined them.
  const repeated = isCertain ? [] : repeatedSignIns(creator, history).filter(isOpen)
  return [...inherited, ...creators, ...repeated, ...own]
}

/** The token that the session began with. */
export function firstTokenOf(token: string, history: History): string {
  const [creator] = creatorsOf(token, history)
  return creator && isContinued(creator, history) ? firstTokenOf(creator.token, history) : token
}

export function isSignIn({ steps }: Entry): boolean {
  return steps.some(({ type }) => type === 'sign-in')
}

/** Whom it signs in. */
export function userOf({ steps }: Entry): string | undefined {
  const step = steps.find(({ type }) => type === 'sign-in')
  return step && 'user' in step ? step.user : undefined
}

/** Whom the token's session belongs to, and its name in his list. */
export function signInsOf(token: string, history: History): Entry[] {
  return creatorsOf(token, history).filter(isSignIn)
}

/** Sign-ins of the same user over the same session: all but the first join that one (E7). */
export function repeatedSignIns(signIn: Entry, history: History): Entry[] {
  if (signIn.token === '' || !isSignIn(signIn)) return []
  return history.filter(
    (entry) => entry !== signIn && entry.token === signIn.token && userOf(entry) === userOf(signIn),
  )
}

/** Several where a sign-in was repeated. */
function creatorsOf(token: string, history: History): Entry[] {
  return history.filter(({ setCookie }) => setCookie === token)
}

/** Whether it was left open what became of it. */
export function isOpen(entry: Entry): boolean {
  return mayBeDone(entry) && !isAcknowledged(entry)
}

/** Whether what it created goes on with the data of the session that it came with. */
function isContinued(creator: Entry, history: History): boolean {
  // An earlier end, whose answer was lost, may have left nothing to go on with; an earlier sign-in has left everything.
  const repeated = repeatedSignIns(creator, history)
  const others = history.filter((entry) => !repeated.includes(entry))
  return creator.token !== '' && !mayBeEnded(creator.token, creator.began, others)
}

/** Whether it is meant for this user's session among others. */
function revokes({ token: own, steps }: Entry, token: string, history: History): boolean {
  return steps.some((step) => {
    switch (step.type) {
      case 'revoke':
        return signInsOf(token, history).some(({ id }) => id === labelOf(step.entry, history))
      case 'revoke-others':
        return own !== token && signInsOf(token, history).some((signIn) => userOf(signIn) === step.user)
      default:
        return false
    }
  })
}

function labelOf(entryId: string, history: History): string | undefined {
  for (const { listed = [] } of history) {
    const found = listed.find(({ id }) => id === entryId)
    if (found) return found.label
  }
  return undefined
}

function began(token: string, history: History): number {
  return Math.min(...creatorsOf(token, history).map((entry) => entry.began))
}

function answeredAt(token: string, history: History): number {
  return Math.min(...creatorsOf(token, history).map((entry) => entry.ended))
}
