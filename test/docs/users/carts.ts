import type { Session } from 'holdfast'

type Data = { cart: string[]; theme: string }

/** The cart of before the sign-in, and the one that the shop has kept for this customer. */
export async function signInWithCart(session: Session<Data>, userId: string, kept: string[]): Promise<void> {
  session.signIn(userId, { keep: ['theme'] })
  await session.update('cart', (cart = []) => [...new Set([...kept, ...cart])])
}
