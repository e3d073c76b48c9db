import { createRequire } from 'node:module'
import { join } from 'node:path'
import { within } from '../core/stores/deadline.ts'
import { commandsOf, slotOf } from '../core/stores/redis/redis-client.ts'
import { refusalOf } from '../core/stores/redis/redis-server.ts'
import { RedisStore } from '../core/stores/redis/redis-store.ts'
import { newKey, PATIENCE_MS, runCanary } from './canary.ts'
import { explainRedis } from './failure.ts'
import { located, skipped, type Finding, type LocatedFinding } from './finding.ts'
import { aboutCluster, findingsOfRedis, type Slots } from './findings-of-redis.ts'
import { lookUpName } from './name-of-server.ts'

/** Keys to choose from: for a master that has one slot alone, of 16 384, one is found in six cases of seven. */
const DRAWS = 32_768

/** What there is to say of a Redis or Valkey, or of every master of its cluster. */
export async function examineRedis(address: string): Promise<LocatedFinding[]> {
  const url = readAddress(address)
  const keyPrefix = url.searchParams.get('keyPrefix') ?? 'session:'
  // The clients would add it, too.
  url.search = ''
  url.port ||= '6379'
  const open = findClient()
  const seed = open(url)
  const slots: Slots = await seed.ask('CLUSTER', 'SLOTS').catch(() => [])
  seed.close()
  if (slots.length === 0) {
    const found = await Promise.all([examine(open, url, keyPrefix, newKey()), lookUpName(url.hostname)])
    return located(url.host, found.flat())
  }
  // A node that does not know its own host leaves it out.
  const hostOf = (host: Buffer | null) => String(host ?? '').replace(/.*:.*/, '[$&]') || url.hostname
  const masters = slots.map(([, , [host, port]]) => `${hostOf(host)}:${port}`)
  const masterOf = (slot: number) =>
    masters[slots.findIndex(([first, last]) => first <= slot && slot <= last)]
  const keys = Array.from({ length: DRAWS }, newKey)
  const examined = [...new Set(masters)].map(async (host) => {
    // None, where the prefix has a hash tag: all keys are in one slot then.
    const key = keys.find((key) => masterOf(slotOf(keyPrefix + key)) === host)
    return located(host, await examine(open, Object.assign(new URL(url), { host }), keyPrefix, key))
  })
  return [...(await Promise.all(examined)), located('all', [aboutCluster(slots)])].flat()
}

/** What is wrong is not repeated: it may be a part of a password. */
function readAddress(address: string): URL {
  const url = URL.canParse(address) && new URL(address.replace(/^valkey/i, 'redis'))
  if (url && url.hostname && /^\/?\d*(\?keyPrefix=[!-~]*)?$/.test(url.pathname + url.search + url.hash))
    return url
  const expected = 'redis[s]://[[user]:password@]host[:port][/database][?keyPrefix=prefix]'
  throw new TypeError(`address: expected ${expected}, percent-encoded, got another text`)
}

const CLIENTS = ['ioredis', 'iovalkey', 'redis']

/** That of the project in whose folder the command runs. */
function findClient() {
  const require = createRequire(join(process.cwd(), 'package.json'))
  const name = CLIENTS.find((name) => {
    try {
      return require.resolve(name)
    } catch {
      return false
    }
  })
  if (!name)
    throw new Error(`found none of ${CLIENTS.join(', ')} in ${process.cwd()}; run there: npm install ioredis`)
  const { createClient, Redis } = require(name)
  const patience = { connectTimeout: PATIENCE_MS / 2 }
  const socket = { ...patience, reconnectStrategy: false }
  const options = { ...patience, retryStrategy: null, lazyConnect: true, enableReadyCheck: false }
  return ({ href }: URL) =>
    connect(name === 'redis' ? createClient({ url: href, RESP: 2, socket }) : new Redis(href, options))
}

type Open = ReturnType<typeof findClient>

function connect(client: any) {
  const [node] = commandsOf(client).nodes()
  let failure: unknown
  client.on('error', (error: unknown) => (failure ??= error))
  const ready: Promise<unknown> = client.connect()
  ready.catch(() => {})
  return {
    client,
    ask(...command: string[]): Promise<any> {
      const send = () => (failure ? Promise.reject(failure) : node!.send(command))
      // Some tell in an event alone why they were refused.
      return within(PATIENCE_MS, () => ready.then(send)).catch((error) => Promise.reject(failure ?? error))
    },
    close: () => (client.destroy ?? client.disconnect).call(client),
  }
}

async function examine(open: Open, url: URL, keyPrefix: string, key: string | undefined): Promise<Finding[]> {
  const { client, ask, close } = open(url)
  const stranger = url.password && open(Object.assign(new URL(url), { username: '', password: '' }))
  try {
    const info = await ask('INFO', 'ALL').then(String, (error: Error) => error)
    if (info instanceof Error && !['NOPERM', 'ERR'].includes(refusalOf(info)!)) {
      return [explainRedis('reachable', info)]
    }
    const readAt = Date.now()
    const store = new RedisStore(client, { keyPrefix, operationTimeoutMs: PATIENCE_MS })
    const config: unknown[] = await ask('CONFIG', 'GET', '*').catch(() => [])
    return findingsOfRedis({
      url,
      keyPrefix,
      readAt,
      operations: key
        ? await runCanary(store, 250, explainRedis, key)
        : skipped('operations', `has no session under '${keyPrefix}'`),
      info: info instanceof Error ? '' : info,
      config: new Map(config.flatMap((name, at) => (at % 2 ? [] : [[String(name), String(config[at + 1])]]))),
      scan: await ask('SCAN', '0', 'COUNT', '5000').catch((error: Error) => error),
      isOpen: !stranger || (await stranger.ask('PING').then(Boolean, () => false)),
    })
  } finally {
    close()
    if (stranger) stranger.close()
  }
}
