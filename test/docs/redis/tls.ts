import { readFileSync } from 'node:fs'
import { RedisStore } from 'holdfast/redis'
import { Redis } from 'ioredis'

const {
  SESSION_STORE = 'rediss://sessions-1.internal:6380',
  SESSION_PASSWORD,
  SESSION_AUTHORITY,
} = process.env

export const client = new Redis(SESSION_STORE, {
  username: 'sessions',
  password: SESSION_PASSWORD,
  tls: { ca: readFileSync(SESSION_AUTHORITY ?? '/etc/ssl/sessions-authority.pem') },
})
client.on('error', () => {})

export const store = new RedisStore(client)
