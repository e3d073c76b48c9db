import { Redis, type RedisOptions } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import type { RedisClient } from '../../src/core/stores/redis/redis-store.ts'

export interface ConnectedClient<Client = RedisClient> {
  client: Client
  disconnect(): void
}

/** A client of one server. It tries again 10 ms after it lost it, and says nothing of that. */
export interface RedisClientKind {
  name: string
  connect(port: number): Promise<ConnectedClient>
}

export const redisClients: readonly RedisClientKind[] = [
  { name: 'ioredis', connect: connectIoredis },
  { name: 'iovalkey', connect: async (port) => quiet(new Valkey(port, '127.0.0.1', quick)) },
  { name: 'node-redis, RESP2', connect: (port) => connectNodeRedis(port, { RESP: 2 }) },
  { name: 'node-redis, RESP3', connect: (port) => connectNodeRedis(port, { RESP: 3 }) },
]

export async function connectIoredis(
  port: number,
  options: Pick<
    RedisOptions,
    'enableOfflineQueue' | 'maxRetriesPerRequest' | 'password' | 'db' | 'keyPrefix'
  > = {},
): Promise<ConnectedClient<Redis>> {
  return quiet(new Redis(port, '127.0.0.1', { ...quick, ...options }))
}

export async function connectNodeRedis(
  port: number,
  { RESP = 3, ...options }: { RESP?: 2 | 3; disableOfflineQueue?: boolean; name?: string } = {},
): Promise<ConnectedClient> {
  const socket = { host: '127.0.0.1', port, reconnectStrategy: () => 10 }
  const client = nodeRedis[RESP].duplicate({ socket, ...options })
  client.on('error', () => {})
  await client.connect()
  return { client, disconnect: () => client.destroy() }
}

/** Never connected: one that is made from the beginning takes 100 ms and more, a copy does not. */
const nodeRedis = { 2: createClient({ RESP: 2 }), 3: createClient({ RESP: 3 }) }

const quick = { retryStrategy: () => 10 }

function quiet<Client extends { on(event: 'error', listener: () => void): unknown; disconnect(): void }>(
  client: Client,
): ConnectedClient<Client> {
  client.on('error', () => {})
  return { client, disconnect: () => client.disconnect() }
}

/** What passes for a client of ioredis, and hands on what it is asked. */
export function likeIoredis(call: (command: string, ...rest: string[]) => Promise<unknown>): RedisClient {
  const methods = ['GETEX', 'SET', 'EVAL', 'DEL', 'INFO'].map((command) => [
    `${command.toLowerCase()}Buffer`,
    (...rest: string[]) => call(command, ...rest),
  ])
  return { callBuffer: call, ...Object.fromEntries(methods) }
}
