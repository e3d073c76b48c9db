import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'

/** Every server answers these, and each signs visitors in and counts their views by its own means. */
export const paths = {
  untouched: '/untouched',
  signIn: '/sign-in',
  /** As a user that the library knows, so that it asks for his mark too. Only holdfast's servers and the floor. */
  signInUser: '/sign-in-user',
  read: '/read',
  write: '/write',
} as const

/** `host:port` of the memcached that holds the sessions; for holdfast alone also several, with commas. */
export const memcached: string = process.env['MEMCACHED'] ?? '127.0.0.1:11211'

/** A client of the Redis that holds the sessions in its place; only some servers take it. */
export async function redisClient() {
  const url = process.env['REDIS']
  if (url === undefined) return undefined
  const { createClient } = await import('redis')
  return createClient({ url }).on('error', console.error).connect()
}

export const TTL_SECONDS = 1800

/** For libraries that sign or encrypt their cookies. */
export const SECRET = 'a secret for measuring, of 32 bytes or more'

type Fetch = (request: Request) => Response | Promise<Response>

/** As its users would: `Bun.serve` on Bun, Hono's server on Node. */
export function listenWithFetch(fetch: Fetch): void {
  const { Bun } = globalThis as { Bun?: { serve(options: object): { port: number } } }
  const options = { fetch, port: 0, hostname: '127.0.0.1' }
  if (Bun) tellThePort(Bun.serve(options).port)
  else serve(options, ({ port }) => tellThePort(port))
}

/** For frameworks that stand on `node:http`. */
export function listen(app: { listen(port: number, host: string, onListening: () => void): Server }): void {
  const server = app.listen(0, '127.0.0.1', () => tellThePort((server.address() as AddressInfo).port))
}

/** Then answers each message with the CPU that this process has used, all its threads together, in microseconds. */
export function tellThePort(port: number): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send!(user + system)
  })
  process.once('disconnect', () => process.exit())
  process.send!(port)
}
