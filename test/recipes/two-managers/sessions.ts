import { createSessionManager, MemoryStore } from 'holdfast'
import type { SessionVariables } from 'holdfast/hono'

export type Data = { cart: string[] }
export type Admin = { role: string }

/** Below the shop's session alone, and below both. */
export type ShopEnv = { Variables: SessionVariables<Data> }
export type AdminEnv = { Variables: SessionVariables<Data> & SessionVariables<Admin, 'admin'> }

const storage = { store: new MemoryStore(), secret: process.env.SESSION_SECRET } // in production a MemcachedStore
export const shop = createSessionManager<Data>(storage)
export const admin = createSessionManager<Admin>({
  ...storage,
  cookie: { name: '__Host-admin', sameSite: 'strict' },
})
