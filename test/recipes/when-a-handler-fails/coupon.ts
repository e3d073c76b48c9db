import type { Session } from 'holdfast'

type Data = { coupon: string }

/** Of the requests that took the coupon, one gets past `save`; the others reject. A later request takes undefined. */
export async function redeem(session: Session<Data>) {
  const coupon = await session.take('coupon')
  await session.save()
  return coupon
}
