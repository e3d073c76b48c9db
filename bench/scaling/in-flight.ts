// How many operations may wait for one server? The tables of docs/memcached.md: npx tsx bench/scaling/in-flight.ts
import { execFile, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Held } from './in-flight-memory.ts'
import type { Seen } from './in-flight-server.ts'
import { count, print } from './print.ts'

const ROUND_TRIP_MS = 50
const LIMITS = [1024, 2048, 4096, 8192, 16_384]
const WIDTHS = [500, 1000, 2000, 4000, 8000]
const SECONDS = 3

interface Answer {
  status: number
  milliseconds: number
}

/** What became of the requests to one path. */
interface Outcome {
  /** Shares of all: for `maxInFlight`, and for want of an answer in time. */
  refused: number
  late: number
  /** Of those served, in milliseconds. */
  p99: number | undefined
  seen: Seen
}

async function main(): Promise<void> {
  await printMemory()
  const network = await start('in-flight-network.ts', { ROUND_TRIP_MS: String(ROUND_TRIP_MS) })
  const cookies: string[] = []
  const cells = new Map<string, string>()
  const refusals: string[][] = []
  for (const limit of LIMITS) {
    const env = { SESSION_STORE: network.said as string, MAX_IN_FLIGHT: String(limit) }
    const { child, said: port } = await start('in-flight-server.ts', env)
    if (cookies.length === 0) cookies.push(...(await cookiesOf(port as number, Math.max(...WIDTHS))))
    const times: number[] = []
    let refusedWrites = 0
    for (const path of ['/untouched', '/read', '/write']) {
      for (const width of WIDTHS) {
        const outcome = await measure(child, port as number, path, cookies.slice(0, width))
        cells.set([path, width, limit].join(' '), said(outcome))
        times.push(...outcome.seen.refusedAfter)
        refusedWrites += outcome.seen.refusedWrites
      }
    }
    times.sort((left, right) => left - right)
    const within = [0.5, 0.99].map((share) => `${(at(times, share) ?? 0).toFixed(1)} ms`)
    refusals.push([count(limit), count(times.length), ...within, count(refusedWrites)])
    child.disconnect()
  }
  network.child.disconnect()
  for (const path of ['/untouched', '/read', '/write']) {
    const cellsOf = (width: number) => LIMITS.map((limit) => cells.get([path, width, limit].join(' '))!)
    const rows = WIDTHS.map((width) => [count(width)].concat(cellsOf(width)))
    const title = `${path}: refused for maxInFlight · without an answer in time · p99 of those served (measured)`
    print(title, ['in flight', ...LIMITS.map(count)], rows)
  }
  print(
    'Refusals, within the process (measured)',
    ['maxInFlight', 'refused', 'after', 'p99', 'writes among them'],
    refusals,
  )
}

async function printMemory(): Promise<void> {
  const script = fileURLToPath(new URL('in-flight-memory.ts', import.meta.url))
  const rows: string[][] = []
  for (const limit of LIMITS) {
    const args = ['--expose-gc', '--import', 'tsx', script, String(limit)]
    const { read, write } = JSON.parse((await promisify(execFile)(process.execPath, args)).stdout) as Held
    const megabytes = (bytes: number) => `${((bytes * limit) / 1e6).toFixed(1)} MB`
    rows.push([count(limit), count(read), count(write), megabytes(read), megabytes(write)])
  }
  const head = ['waiting', 'bytes a read', 'bytes a write', 'all reads', 'all writes']
  print('Memory while the server stands still (measured)', head, rows)
}

function said({ refused, late, p99 }: Outcome): string {
  const percent = (share: number) => `${(share * 100).toFixed(0)} %`
  return [percent(refused), percent(late), p99 === undefined ? '–' : `${(p99 / 1000).toFixed(2)} s`].join(
    ' · ',
  )
}

/** So many visitors, each of whom asks anew as soon as he is answered. */
async function measure(
  app: ChildProcess,
  port: number,
  path: string,
  cookies: readonly string[],
): Promise<Outcome> {
  const visitors = await connected(port, cookies.length)
  const until = performance.now() + SECONDS * 1000
  const answers: Answer[] = []
  await seenBy(app)
  await Promise.all(
    visitors.map(async (visitor, index) => {
      while (performance.now() < until) {
        const startedAt = performance.now()
        const text = await request(visitor, path, cookies[index]!)
        answers.push({ status: Number(text.slice(9, 12)), milliseconds: performance.now() - startedAt })
      }
    }),
  )
  for (const { socket } of visitors) socket.destroy()
  const seen = await seenBy(app)
  const served = answers.filter(({ status }) => status === 200).map(({ milliseconds }) => milliseconds)
  const refused = seen.refusedAfter.length
  return {
    refused: refused / answers.length,
    late: (answers.length - served.length - refused) / answers.length,
    p99: at(
      served.toSorted((left, right) => left - right),
      0.99,
    ),
    seen,
  }
}

function at(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}

async function seenBy(app: ChildProcess): Promise<Seen> {
  const answer = once(app, 'message')
  app.send('seen')
  const [seen] = await answer
  return seen as Seen
}

async function start(
  file: string,
  env: Record<string, string>,
): Promise<{ child: ChildProcess; said: unknown }> {
  const options = { execArgv: ['--import', 'tsx'], env: { ...process.env, NODE_ENV: 'production', ...env } }
  const child = fork(new URL(file, import.meta.url), options)
  const [said] = await once(child, 'message')
  return { child, said }
}

interface Visitor {
  socket: Socket
  answered(text: string): void
}

/** On sockets of their own: an HTTP client would take more of the machine than the server that it measures. */
async function connected(port: number, visitors: number): Promise<Visitor[]> {
  const all: Visitor[] = []
  while (all.length < visitors) {
    // No more at once than wait to be accepted.
    const some = Array.from({ length: Math.min(200, visitors - all.length) }, () => visitorAt(port))
    all.push(...(await Promise.all(some)))
  }
  return all
}

async function visitorAt(port: number): Promise<Visitor> {
  const socket = connect(port, '127.0.0.1').setNoDelay()
  const visitor: Visitor = { socket, answered() {} }
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
    const head = text.indexOf('\r\n\r\n')
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1])
    if (head < 0 || text.length < head + 4 + length) return
    const answer = text
    text = ''
    visitor.answered(answer)
  })
  await once(socket, 'connect')
  return visitor
}

function request(visitor: Visitor, path: string, cookie: string): Promise<string> {
  return new Promise((resolve) => {
    visitor.answered = resolve
    visitor.socket.write(`GET ${path} HTTP/1.1\r\nHost: shop\r\nCookie: ${cookie}\r\n\r\n`)
  })
}

async function cookiesOf(port: number, visitors: number): Promise<string[]> {
  const some = await connected(port, 100)
  const cookies: string[] = []
  await Promise.all(
    some.map(async (visitor) => {
      while (cookies.length < visitors) {
        const [, cookie] = /set-cookie: ([^;]+)/i.exec(await request(visitor, '/sign-in', 'none=none')) ?? []
        if (cookie) cookies.push(cookie)
      }
    }),
  )
  for (const { socket } of some) socket.destroy()
  return cookies
}

await main()
