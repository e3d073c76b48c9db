import type { Session, SessionManager } from 'holdfast'

type Data = { cart: string[]; theme: string }

/** Once the old password was right and the new one is stored, so that the old one begins no session any more. */
export async function passwordChanged(
  manager: SessionManager<Data>,
  session: Session<Data>,
  userId: string,
): Promise<void> {
  session.signIn(userId)
  await session.save()
  await manager.revokeAll(userId, { except: session })
}
