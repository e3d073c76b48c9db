import { type Session, type SessionManager, StoreUnavailableError } from 'holdfast'

type Data = { cart: string[]; flash: string; coupon: string; lines: number }

/** Once the password was right; "remember me" is timeouts of this session's own. */
export async function signIn(session: Session<Data>, userId: string, remember: boolean) {
  session.signIn(userId, remember ? { idle: 30 * 86_400, absolute: 90 * 86_400 } : {})
}

/** Of parallel requests each adds its item. With `get`, `push` and `set` the last one would overwrite the others' cart. */
export async function addToCart(session: Session<Data>, item: string) {
  await session.update('cart', (cart = []) => [...cart, item])
  session.set('flash', `${item} is in your cart`)
}

/** Read and delete. */
export async function flash(session: Session<Data>) {
  return session.take('flash')
}

/** Of the requests that took the coupon, one gets past `save`; the others reject. A later request takes undefined. */
export async function redeem(session: Session<Data>) {
  const coupon = await session.take('coupon')
  await session.save()
  return coupon
}

/** A page that can do without its session renders in an outage. */
export async function greeting(session: Session<Data>) {
  try {
    return `Hello, ${(await session.userId()) ?? 'stranger'}`
  } catch (error) {
    if (error instanceof StoreUnavailableError) return 'Hello'
    throw error
  }
}

/** Inside a streamed body: a second session, opened from the request's cookie and committed without a response. */
export async function countLine(manager: SessionManager<Data>, cookie: string | null) {
  const session = manager.open(cookie)
  await session.update('lines', (n = 0) => n + 1)
  await manager.commit(session, () => ({ status: 200, headers: new Headers() }))
}
