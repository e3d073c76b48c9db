/** Key by key, as JSON texts. */
export type Data = ReadonlyMap<string, string>

/** Pure; `undefined` is no value. */
export type Change = (text: string | undefined) => string | undefined

/** `isOverAnother`, once it is known whose session it was: then only what it keeps comes along (E11). */
export interface SignIn {
  type: 'sign-in'
  userId: string
  keep: readonly string[]
  isOverAnother: boolean | undefined
  /** What the handler held then, and did not set since. */
  readonly held: Set<string>
}

/** What a request did, in order (E1). */
export type Step =
  | { type: 'set'; key: string; text: string | undefined; isNested?: true }
  | { type: 'update'; key: string; change: Change }
  | { type: 'take'; key: string; text: string }
  | { type: 'clear' }
  | SignIn

export const NOTHING: Data = new Map()

/** The steps done to this data; `isSpent` when a value that was taken is not there, and not the request's own. */
export function replay(steps: readonly Step[], data: Data): { data: Data; isSpent: boolean } {
  const result = new Map(data)
  const put = (key: string, text: string | undefined) =>
    text === undefined ? result.delete(key) : result.set(key, text)
  let own = (_key: string) => false
  let isSpent = false
  for (const step of steps) {
    switch (step.type) {
      case 'clear':
        result.clear()
        own = () => true
        break
      case 'sign-in': {
        if (!step.isOverAnother) break
        const before = own
        own = (key) => !step.keep.includes(key) || before(key)
        for (const key of result.keys()) if (!step.keep.includes(key)) result.delete(key)
        break
      }
      case 'set': {
        const before = own
        own = (key) => key === step.key || before(key)
        put(step.key, step.text)
        break
      }
      case 'update':
        put(step.key, step.change(result.get(step.key)))
        break
      case 'take':
        if (result.get(step.key) === step.text) result.delete(step.key)
        else isSpent ||= !own(step.key)
    }
  }
  return { data: result, isSpent }
}

/** What is left to do in the session of another request that signed the same user in (E7). */
export function besideSignIns(steps: readonly Step[]): Step[] {
  const start = steps.findLastIndex((step) => step.type === 'sign-in' && step.isOverAnother)
  return steps.slice(start + 1).filter(({ type }) => type !== 'sign-in')
}

export function isSame(left: Data, right: Data): boolean {
  return left.size === right.size && [...left].every(([key, text]) => right.get(key) === text)
}
