import { kindOf } from '../../check.ts'

type Send = (...parameters: any[]) => Promise<any>

/**
 * The application's own client, as far as it is needed: of ioredis or iovalkey, or a cluster of theirs; of redis
 * (node-redis) 5 or later, or a pool, sentinel or cluster of its.
 */
export type RedisClient = { callBuffer: Send } | { withTypeMapping(mapping: any): { sendCommand: Send } }

export type Command = readonly (string | Buffer)[]

/** One server that a client asks, or all that stand behind one address. */
export interface RedisNode {
  /** Host and port, without credentials. */
  name: string
  /** The number of the database in use. */
  database: number
  send(command: Command): Promise<unknown>
}

/** A client, whichever it is. Strings come as `Buffer`. */
export interface RedisCommands {
  /** To the master that has the key, which the command has, too. */
  send(key: string, command: Command): Promise<unknown>
  /** The name of that master, as far as the client knows. */
  serverOf(key: string): string
  /** The masters that are connected. */
  nodes(): RedisNode[]
}

/** Throws `TypeError` for anything else than a {@link RedisClient}. */
export function commandsOf(client: any): RedisCommands {
  const can = (method: string) => typeof client?.[method] === 'function'
  if (can('callBuffer')) {
    // Not by `callBuffer`, which loses the command's name where commands are pipelined by themselves.
    const send = heeding(client, ([name, ...rest]) => client[`${String(name).toLowerCase()}Buffer`](...rest))
    return client.isCluster ? clusterOfIoredis(client, send) : oneServer(client, send)
  }
  if (can('withTypeMapping')) {
    const mapped = client.withTypeMapping({ [BULK_STRING]: Buffer })
    if (can('nodeClient')) return clusterOfNodeRedis(client, mapped)
    // A sentinel is first told whether a replica will do.
    const first = can('acquire') ? [false] : []
    return oneServer(
      client,
      heeding(client, (command) => mapped.sendCommand(...first, command)),
    )
  }
  const inside = client?.client ? '; hand in its client' : '' // as connect-redis is given it
  // The only one that has it.
  const came = can('send') ? "Bun's own, which answers bytes as text" : kindOf(client) + inside
  throw new TypeError(
    `client: expected one of ioredis, iovalkey or redis (node-redis) 5 or later, got ${came}; with ioredis write new RedisStore(new Redis(url))`,
  )
}

/** As it begins in RESP: `$`. */
const BULK_STRING = 36

function oneServer(client: any, send: RedisNode['send']): RedisCommands {
  // A pool and a sentinel of node-redis keep to themselves what they ask; `name` is a master's where sentinels are.
  const options = client.options ?? { path: 'redis' }
  const { host = 'localhost', port = 6379, path } = options.socket ?? options
  const name = options.sentinels ? options.name : (path ?? `${host}:${port}`)
  const node = { name, database: options.db ?? options.database ?? 0, send }
  return { send: (_, command) => send(command), serverOf: () => name, nodes: () => [node] }
}

function clusterOfIoredis(cluster: any, send: RedisNode['send']): RedisCommands {
  return {
    send: (_, command) => send(command),
    serverOf: (key) => cluster.slots[slotOf((cluster.options.keyPrefix ?? '') + key)]?.[0] ?? 'cluster',
    nodes: () => cluster.nodes('master').flatMap((node: unknown) => commandsOf(node).nodes()),
  }
}

function clusterOfNodeRedis(cluster: any, mapped: any): RedisCommands {
  const nodesOf = ({ address, client }: any) =>
    client ? [{ ...commandsOf(client).nodes()[0]!, name: address }] : []
  return {
    send: (key, command) => mapped.sendCommand(key, false, command),
    serverOf: (key) => cluster.slots[slotOf(key)]?.master.address ?? 'cluster',
    nodes: () => cluster.masters.flatMap(nodesOf),
  }
}

/** How often a client lost a connection; by client, since many stores may have one. */
const losses = new WeakMap<object, number>()
/** How they tell of it: ioredis, its cluster, a sentinel of node-redis. */
const LOSSES = ['close', '-node', 'client-error', 'topology-change']

/** These clients send again what was unanswered then, and so may have refused what was carried out before (E4). */
function heeding(client: any, send: RedisNode['send']): RedisNode['send'] {
  if (!losses.has(client)) {
    for (const event of LOSSES) client.on?.(event, () => losses.set(client, losses.get(client)! + 1))
    losses.set(client, 0)
  }
  return async (command) => {
    const before = losses.get(client)
    const reply = await send(command)
    const isRefused = /^(SET|EVAL)$/.test(command[0] as string) && !/^(OK|replaced)$/.test(String(reply))
    if (!isRefused || losses.get(client) === before) return reply
    throw new Error('the connection was lost, and it may have been carried out before')
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
