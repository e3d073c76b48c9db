import { type Session, StoreUnavailableError } from 'holdfast'

/** A page that can do without its session renders in an outage. */
export async function greeting(session: Session) {
  try {
    return `Hello, ${(await session.userId()) ?? 'stranger'}`
  } catch (error) {
    if (error instanceof StoreUnavailableError) return 'Hello'
    throw error
  }
}
