import type { Fault as SourceFault } from '../support/bundle.ts'
import { startFaultProxy, type Fault, type FaultProxy } from '../support/fault-proxy.ts'
import { startApp } from '../support/process.ts'
import { environmentOf, onMemcached, type StoreKind } from '../support/store-servers.ts'
import type { Answer, Entry, History, Outcome, Request } from './history.ts'

/** Application servers in processes of their own on one memcached, or one Redis, and the history of what they were asked. */
export interface Cluster {
  processes: number
  /** Between each process and the store's server; none in a cluster whose network is sound. */
  proxies: FaultProxy[]
  /** How a reply is lost. Of Redis's nothing says what they answer, so there the connection goes with it, as TCP has it. */
  loss: Fault
  /** How long replies are held before they are lost: ioredis asks again, so there for longer than the store waits. */
  heldMs: number
  /** Asks one of the servers, through Hono unless another adapter was named, and enters it into the history. */
  ask(server: number, token: string, request: Request): Promise<Entry>
  through(adapter: Adapter): Cluster
  /** All since it was last called, with what the servers know of it. */
  takeHistory(): Promise<History>
  stop(): Promise<void>
}

export const adapters = ['Hono', 'Koa'] as const
type Adapter = (typeof adapters)[number]

interface ClusterOptions {
  /** Default memcached. */
  kind?: StoreKind
  /** Default 4. */
  processes?: number
  /** Whether there is a proxy between each process and the store's server, to make the network faulty. */
  isFaulty?: boolean
  /** In the servers' sources. */
  faults?: SourceFault[]
}

export async function startCluster({
  kind = onMemcached,
  processes = 4,
  isFaulty = false,
  faults = [],
}: ClusterOptions = {}): Promise<Cluster> {
  const store = await kind.start()
  const proxies: FaultProxy[] = []
  if (isFaulty) {
    for (let count = 0; count < processes; count++) proxies.push(await startFaultProxy(store))
  }
  const servers = await Promise.all(
    Array.from({ length: processes }, (_, index) => {
      return startApp('proof', environmentOf(kind, proxies[index] ?? store), faults)
    }),
  )
  for (const adapter of adapters) {
    await Promise.all(servers.map(({ url }) => warmUp(`${url}/${adapter}`)))
  }
  const entries: Entry[] = []
  const cluster: Cluster = {
    processes,
    proxies,
    loss: kind === onMemcached ? { type: 'swallow' } : { type: 'cut', after: 0, by: 'reset' },
    heldMs: kind === onMemcached ? 0 : 300,
    through: (adapter) => ({
      ...cluster,
      async ask(server, token, request) {
        const began = performance.now()
        const { status, body, setCookies } = await post(`${servers[server]!.url}/${adapter}`, token, request)
        const ended = performance.now()
        const answer = (status === 200 ? JSON.parse(body) : {}) as Answer
        const setCookie = tokenIn(setCookies)
        const seen = { ...request, token, began, ended, status, setCookie, ...answer }
        const entry = { ...seen, events: [], taken: [] }
        entries.push(entry)
        return entry
      },
    }),
    ask: (server, token, request) => cluster.through('Hono').ask(server, token, request),
    async takeHistory() {
      const logs = await Promise.all(
        servers.map(async ({ url }) => (await (await fetch(`${url}/log`)).json()) as Record<string, Outcome>),
      )
      const log: Record<string, Outcome> = Object.assign({}, ...logs)
      for (const entry of entries) Object.assign(entry, log[entry.id])
      return entries.splice(0)
    },
    async stop() {
      for (const server of servers) await server.stop()
      for (const proxy of proxies) await proxy.close()
      await store.stop()
    },
  }
  return cluster
}

/** A server that has never served compiles first, and whoever comes meanwhile waits for that, not for his turn. */
async function warmUp(url: string): Promise<void> {
  const steps: Request['steps'] = [{ type: 'increment', key: 'n' }]
  let token = ''
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        post(url, token, { id: `warm ${url} ${round}.${index}`, steps, isExplicit: index % 2 === 0 }),
      ),
    )
    token ||= tokenIn(answers[0]!.setCookies) ?? ''
  }
}

/** Not repeated by any client, being a POST. */
async function post(
  url: string,
  token: string,
  request: Request,
): Promise<{ status: number; body: string; setCookies: string[] }> {
  const query = new URLSearchParams({ request: JSON.stringify(request) })
  const headers = token === '' ? {} : { cookie: `__Host-session=${token}` }
  try {
    const signal = AbortSignal.timeout(10_000)
    const response = await fetch(`${url}?${query}`, { method: 'POST', headers, signal })
    const body = await response.text()
    return { status: response.status, body, setCookies: response.headers.getSetCookie() }
  } catch {
    return { status: 0, body: '', setCookies: [] }
  }
}

function tokenIn([cookie]: string[]): string | undefined {
  return cookie === undefined ? undefined : /=([^;]*)/.exec(cookie)![1]!
}
