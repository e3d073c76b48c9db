import { SessionEndedError, type Session } from 'holdfast'

export type Data = { userId: string; cart: string[] }

/** Gives a new session what the old one held, unless the visitor has a new one already. */
export async function carryOver(session: Session<Data>, { userId, cart }: Partial<Data>): Promise<void> {
  if (await session.exists()) return
  session.set('userId', userId)
  session.set('cart', cart)
  try {
    await session.save() // when the store fails, this throws, and the visitor keeps the old session
  } catch (error) {
    if (!(error instanceof SessionEndedError)) throw error // signed out of the new one a moment ago: so be it
  }
}
