import { createSessionManager } from 'holdfast'
import { MemcachedStore } from 'holdfast/memcached'

export const manager = createSessionManager<{ cart: string[] }>({
  store: new MemcachedStore(process.env.SESSION_STORE ?? 'memcached://127.0.0.1:11200'),
  secret: process.env.SESSION_SECRET, // 32 bytes or more, the same on every server
})
