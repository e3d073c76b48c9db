import { toJsonText } from './json.ts'

/** A value the handler holds. `text` is what it was when last looked at; none for one that was set and not yet written. */
export interface HeldValue {
  value: unknown
  text: string | undefined
}

/** Whether a save would write it. */
export function isUnsaved(key: string, held: HeldValue): boolean {
  if (held.text === undefined) return true
  return typeof held.value === 'object' && textOf(key, held) !== held.text
}

/** As JSON; `undefined` for what is none. */
export function textOf(key: string, { value }: HeldValue): string | undefined {
  try {
    return toJsonText(key, value)
  } catch {
    return undefined
  }
}
