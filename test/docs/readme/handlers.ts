import type { Session } from 'holdfast'

type Data = { cart: string[]; flash: string }

/** Once the password was right; "remember me" is timeouts of this session's own, in seconds. */
export async function signIn(session: Session<Data>, userId: string, remember: boolean) {
  session.signIn(userId, remember ? { idle: 30 * 86_400, absolute: 90 * 86_400 } : {})
}

/** Of parallel requests each adds its item: `update` is atomic, and runs again where another one was first. */
export async function addToCart(session: Session<Data>, item: string) {
  await session.update('cart', (cart = []) => [...cart, item])
  session.set('flash', `${item} is in your cart`)
}

/** Read and delete. */
export async function takeFlash(session: Session<Data>) {
  return session.take('flash')
}
