import { createSessionManager } from 'holdfast'
import { RedisStore } from 'holdfast/redis'
import { Redis } from 'ioredis' // or from 'iovalkey'

export const client = new Redis(process.env.SESSION_STORE ?? 'redis://127.0.0.1:6380', {
  retryStrategy: (tries) => Math.min(tries * 50, 1000),
  socketTimeout: 1000, // a server that has gone without a word is connected to anew
})
client.on('error', () => {}) // the manager tells of it; without a listener each failure is printed

export const manager = createSessionManager<{ cart: string[] }>({
  store: new RedisStore(client),
  secret: process.env.SESSION_SECRET, // 32 bytes or more, the same on every server
})
