import { type Session, StoreUnavailableError } from 'holdfast'

type Data = { userId: string; cart: string[]; flash: string; coupon: string }

/** "Remember me": timeouts of this session's own. */
export async function signIn(session: Session<Data>, userId: string, remember: boolean) {
  session.regenerateId() // on every change of privilege
  session.set('userId', userId)
  if (remember) session.setTimeouts({ idle: 30 * 86_400, absolute: 90 * 86_400 })
}

/** A nested change is noticed. */
export async function addToCart(session: Session<Data>, item: string) {
  const cart = (await session.get('cart')) ?? []
  cart.push(item)
  session.set('cart', cart)
  session.set('flash', `${item} is in your cart`)
}

/** Read and delete. */
export async function flash(session: Session<Data>) {
  return session.take('flash')
}

/** Exactly one of all parallel requests gets past `save`; the others reject with SessionConflictError. */
export async function redeem(session: Session<Data>) {
  const coupon = await session.take('coupon')
  await session.save()
  return coupon
}

/** A page that can do without its session renders in an outage. */
export async function greeting(session: Session<Data>) {
  try {
    return `Hello, ${(await session.get('userId')) ?? 'stranger'}`
  } catch (error) {
    if (error instanceof StoreUnavailableError) return 'Hello'
    throw error
  }
}
