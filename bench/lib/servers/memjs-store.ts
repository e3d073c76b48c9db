import { Client } from 'memjs'
import { memcached, TTL_SECONDS } from './listening.ts'

/** Sessions as JSON in memcached, by memjs: what its users write between a session library and memjs. */
export const memjsStore = {
  async get(id: string): Promise<any> {
    const { value } = await client.get(id)
    return value ? JSON.parse(value.toString()) : undefined
  },
  async set(id: string, session: unknown): Promise<void> {
    await client.set(id, JSON.stringify(session), { expires: TTL_SECONDS })
  },
  async delete(id: string): Promise<void> {
    await client.delete(id)
  },
}

// A deadline that a busy machine keeps, in seconds.
const client = Client.create(memcached, { timeout: 5 })
