import { MemcachedStore } from 'holdfast/memcached'
import { session } from 'holdfast/node'
import type { Data } from '../utils/session-of'

const { SESSION_STORE, SESSION_SECRET } = process.env

export default fromNodeMiddleware(
  session<Data>({
    store: SESSION_STORE ? new MemcachedStore(SESSION_STORE) : undefined,
    secret: SESSION_SECRET,
  }),
)
