import { kindOf } from '../../check.ts'

type Arguments = readonly (string | Buffer)[]
type Send = (...parameters: any[]) => Promise<any>

/** A client of ioredis or iovalkey, or a cluster of theirs: the little of it that is needed. */
export interface IoredisClient {
  callBuffer: Send
}

/** A client, pool, sentinel or cluster of node-redis 5 or later: the little of it that is needed. */
export interface NodeRedisClient {
  withTypeMapping(mapping: any): { sendCommand: Send }
}

/** The application's own client. */
export type RedisClient = IoredisClient | NodeRedisClient

/** One server that a client asks, or all that stand behind one address. */
export interface RedisNode {
  /** Host and port, without credentials. */
  name: string
  /** The number of the database in use. */
  database: number
  send(args: Arguments): Promise<unknown>
}

/** A client, whichever it is. Replies that hold bytes come as `Buffer`. */
export interface RedisCommands {
  /** Sends a command that concerns one key, to the master that has it. */
  send(key: string, args: Arguments): Promise<unknown>
  /** The name of that master, as far as the client knows. */
  nameOf(key: string): string
  /** The masters that are connected. */
  nodes(): RedisNode[]
}

/** Throws `TypeError` for anything else than a {@link RedisClient}. */
export function commandsOf(client: RedisClient): RedisCommands {
  const known = client as any
  if (typeof known?.callBuffer === 'function') {
    if (known.isCluster) return clusterOfIoredis(known)
    return alone(known, (args) => known.callBuffer(...args))
  }
  if (typeof known?.withTypeMapping === 'function') {
    const mapped = known.withTypeMapping({ [BULK_STRING]: Buffer })
    if (typeof known.nodeClient === 'function') return clusterOfNodeRedis(known, mapped)
    // A sentinel is first asked whether a replica will do.
    if (typeof known.acquire === 'function') return alone(known, (args) => mapped.sendCommand(false, args))
    return alone(known, (args) => mapped.sendCommand(args))
  }
  const isBuns = typeof known?.send === 'function' && typeof known.duplicate === 'function'
  const came = isBuns ? "Bun's own, which answers bytes as text" : kindOf(client)
  throw new TypeError(
    `client: expected a client of ioredis, iovalkey or redis (node-redis) 5 or later, got ${came}; write new RedisStore(new Redis(url)) with Redis from ioredis`,
  )
}

/** As it begins in RESP: `$`. */
const BULK_STRING = 36

function alone(client: any, send: RedisNode['send']): RedisCommands {
  // A pool and a sentinel of node-redis keep to themselves what they ask; `name` is a master's where sentinels are.
  const { socket, ...options } = client.options ?? { path: 'redis' }
  const { host, port, path, sentinels, name, db, database } = { ...options, ...socket }
  const server = sentinels ? name : (path ?? `${host ?? 'localhost'}:${port ?? 6379}`)
  const node = { name: server, database: db ?? database ?? 0, send }
  return { send: (_, args) => send(args), nameOf: () => server, nodes: () => [node] }
}

function clusterOfIoredis(cluster: any): RedisCommands {
  return {
    send: (_, args) => cluster.callBuffer(...args),
    nameOf: (key) => cluster.slots[slotOf((cluster.options.keyPrefix ?? '') + key)]?.[0] ?? 'cluster',
    nodes: () => cluster.nodes('master').flatMap((node: RedisClient) => commandsOf(node).nodes()),
  }
}

function clusterOfNodeRedis(cluster: any, mapped: any): RedisCommands {
  return {
    send: (key, args) => mapped.sendCommand(key, false, args),
    nameOf: (key) => cluster.slots[slotOf(key)]?.master.address ?? 'cluster',
    nodes: () =>
      cluster.masters.flatMap(({ address, client }: { address: string; client?: NodeRedisClient }) =>
        client ? [{ ...commandsOf(client).nodes()[0]!, name: address }] : [],
      ),
  }
}

/** CRC-16/XMODEM of the key, or of its hash tag: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec */
export function slotOf(key: string): number {
  const hashed = /^[^{]*\{([^}]+)\}/.exec(key)?.[1] ?? key
  let crc = 0
  for (let index = 0; index < hashed.length; index++) {
    crc ^= hashed.charCodeAt(index) << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  }
  return crc & 0x3fff
}
