import { SessionEndedError, type Session } from 'holdfast'

export type Data = { cart: string[] }
export type OldData = { userId: string; cart: string[] }

/** Gives a new session what the old one held, unless the visitor has a new one already. False: it held nothing. */
export async function carryOver(session: Session<Data>, old: Partial<OldData> | null = {}): Promise<boolean> {
  const { userId, cart } = old ?? {}
  if (userId === undefined && cart === undefined) return false
  if (await session.exists()) return true
  try {
    session.clear()
    await session.save() // there is nothing to write; it rejects where the new session was ended a moment ago
  } catch (error) {
    if (error instanceof SessionEndedError) return true // signed out of it: so be it
    throw error
  }
  session.set('cart', cart)
  if (userId !== undefined) session.signIn(userId)
  await session.save() // when the store fails, this throws, and the visitor keeps the old session
  return true
}
