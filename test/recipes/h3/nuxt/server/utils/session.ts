import type { H3Event } from 'h3'
import { createSessionManager } from 'holdfast'
import { MemcachedStore } from 'holdfast/memcached'
import type { SessionRequest } from 'holdfast/node'

type Data = { views: number }

const { SESSION_STORE, SESSION_SECRET } = process.env

export const manager = createSessionManager<Data>({
  store: SESSION_STORE ? new MemcachedStore(SESSION_STORE) : undefined,
  secret: SESSION_SECRET,
})

export function sessionOf({ node }: H3Event) {
  return (node.req as typeof node.req & SessionRequest<Data>).session
}
