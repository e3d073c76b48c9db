import { RedisStore } from 'holdfast/redis'
import { createClient } from 'redis'

export const client = createClient({
  url: process.env.SESSION_STORE ?? 'redis://127.0.0.1:6380',
  socket: { reconnectStrategy: (tries) => Math.min(tries * 50, 1000) },
})
client.on('error', () => {}) // the manager tells of it; without a listener the process ends
await client.connect()

export const store = new RedisStore(client)
