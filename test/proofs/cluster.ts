import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts'
import { startMemcached } from '../support/memcached.ts'
import { ownRuntime, startServer } from '../support/process.ts'
import type { Answer, Entry, History, Outcome, Request } from './history.ts'

/** Application servers in processes of their own on one memcached, and the history of what they were asked. */
export interface Cluster {
  processes: number
  /** Between each process and memcached; none in a cluster whose network is sound. */
  proxies: FaultProxy[]
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
  /** Default 4. */
  processes?: number
  /** Whether there is a proxy between each process and memcached, to make the network faulty. */
  isFaulty?: boolean
  /** The server's program; another one than that of the sources to be proved. */
  app?: string
}

export async function startCluster({
  processes = 4,
  isFaulty = false,
  app = 'test/support/proof-app.ts',
}: ClusterOptions = {}): Promise<Cluster> {
  const memcached = await startMemcached()
  const proxies: FaultProxy[] = []
  if (isFaulty) {
    for (let count = 0; count < processes; count++) proxies.push(await startFaultProxy(memcached))
  }
  const servers = await Promise.all(
    Array.from({ length: processes }, (_, index) => {
      const { address } = proxies[index] ?? memcached
      return startServer(ownRuntime, app, { SESSION_STORE: address })
    }),
  )
  for (const adapter of adapters) {
    await Promise.all(servers.map(({ url }) => warmUp(`${url}/${adapter}`)))
  }
  const entries: Entry[] = []
  const cluster: Cluster = {
    processes,
    proxies,
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
      await memcached.stop()
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
