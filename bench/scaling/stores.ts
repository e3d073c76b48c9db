// What each store costs, one beside the other. The table of docs/redis.md: npx tsx bench/scaling/stores.ts
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startMemcached } from '../../test/support/memcached.ts'
import { startRedis } from '../../test/support/redis.ts'
import { figureOf } from '../lib/statistics.ts'
import { readRounds } from '../lib/settings.ts'
import { count, print } from './print.ts'
import { statsOf, usedChunkBytes } from './session-cost.ts'
import type { Round } from './stores-client.ts'

const SESSIONS = 100_000
const rounds = readRounds(11)

interface Subject {
  /** A column of the table. */
  store: 'memcached' | 'Redis' | 'SQLite'
  client: string
  address: string
  empty(): Promise<unknown>
  /** Bytes that the server holds, in memory or in its file. */
  held(): Promise<number>
}

/** SQLite is part of Node from 22 on, so all of them run on that. */
const node22 = fileURLToPath(new URL('../../test/runtimes/node_modules/node22/bin/node', import.meta.url))
const execPath = existsSync(node22) ? node22 : process.execPath

const folder = await mkdtemp(join(tmpdir(), 'holdfast-stores-'))
const file = join(folder, 'sessions.db')
const memcached = await startMemcached({ args: ['-m', '256'] })
// As docs/redis.md has it.
const persistent = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction']
const redis = await startRedis(...persistent)

const overRedis = (client: string): Subject => ({
  store: 'Redis',
  client,
  address: redis.address,
  empty: () => redis.text('FLUSHALL'),
  held: async () => Number(/^used_memory:(\d+)/m.exec(await redis.text('INFO', 'memory'))![1]),
})
const subjects: Subject[] = [
  {
    store: 'memcached',
    client: 'memjs',
    address: memcached.address,
    empty: () => memcached.text('flush_all'),
    held: () => usedChunkBytes(memcached),
  },
  ...['ioredis', 'iovalkey', 'node-redis'].map(overRedis),
  {
    store: 'SQLite',
    client: 'node:sqlite',
    address: file,
    empty: async () => {},
    held: async () => (await stat(file)).size,
  },
]
const stores = [...new Set(subjects.map(({ store }) => store))]

const figures: { name: keyof Round; title: string }[] = [
  { name: 'get', title: 'a read, one at a time' },
  { name: 'getAndReplace', title: 'a read and a write, one at a time' },
  { name: 'cpu', title: "the application's CPU for a read, 32 in flight" },
]

const children: ChildProcess[] = []
try {
  for (const { client, address } of subjects) children.push(await start(client, address))
  const measured = new Map<Subject, Round[]>(subjects.map((subject) => [subject, []]))
  for (let round = 0; round < rounds; round++) {
    // Every second round goes backwards, so that what the machine does meanwhile meets them all alike.
    const order = subjects.map((subject, index) => [subject, children[index]!] as const)
    for (const [subject, child] of round % 2 === 0 ? order : order.toReversed()) {
      measured.get(subject)!.push((await ask(child, 0)) as Round)
    }
  }
  const figure = (subject: Subject, name: keyof Round) =>
    figureOf(measured.get(subject)!.map((round) => round[name]))
  const spread = subjects.map((subject) => [
    `${subject.store}, ${subject.client}`,
    ...figures.map(({ name }) => {
      const { median, min, max } = figure(subject, name)
      return `${median.toFixed(0)} µs (${min.toFixed(0)}–${max.toFixed(0)})`
    }),
  ])
  print(`${rounds} rounds, with their spread`, ['', ...figures.map(({ title }) => title)], spread)

  const cell = (store: string, name: keyof Round) => {
    const clients = subjects.filter((subject) => subject.store === store)
    const medians = clients.map((subject) => [
      subject.client,
      `${figure(subject, name).median.toFixed(0)} µs`,
    ])
    return medians.map((median) => (clients.length === 1 ? median[1] : median.join(' '))).join(', ')
  }
  const rows = figures.map(({ name, title }) => [title, ...stores.map((store) => cell(store, name))])
  const bytes: string[] = ['a session of 260 bytes of JSON']
  for (const store of stores) {
    const index = subjects.findIndex((subject) => subject.store === store)
    bytes.push(`${count(await bytesOfSession(subjects[index]!, children[index]!))} bytes`)
  }
  print('Stores (measured)', ['', ...stores], [...rows, bytes])
} finally {
  for (const child of children) child.disconnect()
  await Promise.all([memcached.stop(), redis.stop('SIGTERM'), rm(folder, { recursive: true })])
}

async function bytesOfSession(subject: Subject, child: ChildProcess): Promise<number> {
  await subject.empty()
  const before = await subject.held()
  await ask(child, SESSIONS)
  const { evictions } = await statsOf(memcached)
  if (evictions! > 0) throw new Error(`memcached evicted ${evictions} records`)
  return ((await subject.held()) - before) / SESSIONS
}

async function start(client: string, address: string): Promise<ChildProcess> {
  const execArgv = ['--disable-warning=ExperimentalWarning', '--import', 'tsx']
  const options = { execPath, execArgv, env: { ...process.env, NODE_ENV: 'production' } }
  const child = fork(new URL('stores-client.ts', import.meta.url), [client, address], options)
  await once(child, 'message')
  return child
}

/** For a round, or to add so many sessions. */
async function ask(child: ChildProcess, sessions: number): Promise<unknown> {
  const answer = once(child, 'message')
  child.send(sessions)
  const [said] = await answer
  return said
}
