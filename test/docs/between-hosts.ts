import { readFileSync } from 'node:fs'
import { createSessionManager } from 'holdfast'
import { MemcachedStore } from 'holdfast/memcached'

const { SESSION_SERVERS, SESSION_PASSWORD, SESSION_AUTHORITY, SESSION_SECRET } = process.env

export const manager = createSessionManager<{ cart: string[] }>({
  store: new MemcachedStore({
    servers: SESSION_SERVERS?.split(',') ?? ['sessions-1.internal:11200', 'sessions-2.internal:11200'],
    username: 'sessions',
    password: SESSION_PASSWORD,
    tls: { ca: readFileSync(SESSION_AUTHORITY ?? '/etc/ssl/sessions-authority.pem') },
  }),
  secret: SESSION_SECRET,
})
