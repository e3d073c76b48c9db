/** What a request does to its session, in this order; `append` adds the request's own id to a list. */
export type Step =
  | { type: 'set'; key: string; value: string }
  | { type: 'delete' | 'increment' | 'append' | 'take'; key: string }
  | { type: 'read' | 'destroy' | 'regenerate' }

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
  /** The code of what its `save()` rejected with. */
  refusal?: string
}

/** One request of a history, as its client saw it; times are milliseconds on one clock. */
export interface Entry extends Request, Outcome {
  began: number
  ended: number
  /** What its cookie said; empty for none. */
  token: string
  /** 0 for no answer. */
  status: number
  /** The token that the response set; empty for a cookie that was cleared. */
  setCookie?: string | undefined
  /** All that the session held, for a request that reads. */
  read?: Data | undefined
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

/** Whether it can have been done: refused it was not, unless the store left it open what became of a write. */
export function mayBeDone(entry: Entry): boolean {
  if (isAcknowledged(entry) || entry.status === 0) return true
  return entry.events.includes('store-error') && !isToldNothing(entry)
}

export function isEnd({ steps }: Entry): boolean {
  return steps.some(({ type }) => type === 'destroy' || type === 'regenerate')
}

export function isWrite(entry: Entry): boolean {
  return keysOf(entry).length > 0
}

export function keysOf({ steps }: Entry): string[] {
  return steps.flatMap((step) => keyOf(step) ?? [])
}

export function keyOf(step: Step): string | undefined {
  return 'key' in step ? step.key : undefined
}

export function endsIn(history: History): Entry[] {
  return history.filter((entry) => isEnd(entry) && isAcknowledged(entry))
}

/** Whether something can have ended the session before then. */
export function mayBeEnded(token: string, then: number, history: History): boolean {
  return history.some(
    (entry) => isEnd(entry) && entry.token === token && entry.began < then && mayBeDone(entry),
  )
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
  const creator = creatorOf(token, history)
  if (!creator) return own
  const isInherited = creator.token !== '' && (!isCertain || isContinued(creator, history))
  const inherited = isInherited
    ? writersTo(creator.token, history, isCertain).filter(({ began }) => began < creator.ended)
    : []
  return [...inherited, creator, ...own]
}

/** The token that the session began with. */
export function firstTokenOf(token: string, history: History): string {
  const creator = creatorOf(token, history)
  return creator && isContinued(creator, history) ? firstTokenOf(creator.token, history) : token
}

function creatorOf(token: string, history: History): Entry | undefined {
  return history.find(({ setCookie }) => setCookie === token)
}

/** Whether what it created goes on with the data of the session that it came with. */
function isContinued({ token, began }: Entry, history: History): boolean {
  // An earlier end, whose answer was lost, may have left nothing to go on with.
  return token !== '' && !mayBeEnded(token, began, history)
}
