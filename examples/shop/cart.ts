import type { Session } from 'holdfast'
import type { Data } from './settings.ts'

/** Atomic: two tabs that add at the same time both count. Not awaited: the commit waits for it. */
export function addToCart(session: Session<Data>, id: string): void {
  void session.update('cart', (cart = {}) => ({ ...cart, [id]: (cart[id] ?? 0) + 1 }))
}

export function removeFromCart(session: Session<Data>, id: string): void {
  void session.update('cart', (cart = {}) => {
    const { [id]: count = 0, ...others } = cart
    return count > 1 ? { ...others, [id]: count - 1 } : others
  })
}
