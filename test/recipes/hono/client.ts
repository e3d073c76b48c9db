import { hc } from 'hono/client'
import type { App } from './app.ts'

const shop = hc<App>(location.origin)

export async function addToCart(item: string): Promise<string[]> {
  const response = await shop.cart[':item'].$post({ param: { item } })
  const { cart } = await response.json()
  return cart
}
