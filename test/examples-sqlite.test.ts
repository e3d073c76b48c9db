import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { MemoryStore } from 'holdfast'
import { sessionStoreContract } from 'holdfast/testing'
import type { Leg } from './support/sqlite-racer.ts'

const PROJECT = fileURLToPath(new URL('..', import.meta.url))
const BINARIES = {
  Bun: join(PROJECT, 'test/runtimes/node_modules/.bin/bun'),
  'Node 22': join(PROJECT, 'test/runtimes/node_modules/node22/bin/node'),
}
type Runtime = keyof typeof BINARIES
const CASES = sessionStoreContract(() => new MemoryStore()).length
const LAPS = 200

let folder: string
let file: string
const cleanups: (() => unknown)[] = []

beforeAll(() => {
  if (!existsSync(join(PROJECT, 'dist/testing'))) throw new Error('run first: npm run build')
  for (const runtime of Object.values(BINARIES)) {
    if (!existsSync(runtime))
      throw new Error(`${runtime} is missing; run first: npm ci --prefix test/runtimes`)
  }
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-sqlite-'))
  file = join(folder, 'sessions.db')
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
  await rm(folder, { recursive: true })
})

/** In place of the caller's options for Node, which are meant for vitest. */
const environment = () => ({
  ...process.env,
  NODE_OPTIONS: '--disable-warning=ExperimentalWarning',
  SESSION_FILE: file,
})

describe('SqliteStore keeps the contract, by the command of docs/stores.md', () => {
  const guide = readFileSync('docs/stores.md', 'utf8')
  const command = (program: string) => new RegExp(`\`${program} (.+?)\``).exec(guide)![1]!.split(' ')

  it('on Bun', { timeout: 60_000 }, async () => {
    const output = await run('Bun', ...command('bun'))
    expect(output).toMatch(new RegExp(`^ *${CASES} pass\n *0 fail$`, 'm'))
  })

  it('on Node 22', { timeout: 60_000 }, async () => {
    const output = await run('Node 22', ...command('node'))
    expect(output).toContain(`# pass ${CASES}\n# fail 0\n`)
  })
})

describe.each(['Bun', 'Node 22'] as const)('SqliteStore on %s', (runtime) => {
  it('removes what ran out, as new records come', async () => {
    const script = join(folder, 'script.mts')
    const example = join(PROJECT, 'examples/sqlite')
    await writeFile(
      script,
      `import { openDatabase } from '${example}/database.ts'
       import { SqliteStore } from '${example}/sqlite-store.ts'
       let now = Date.now()
       const store = await SqliteStore.open('${file}', () => now)
       const database = await openDatabase('${file}')
       const counts = []
       for (const round of [1, 2]) {
         for (let index = 0; index < 100; index++) await store.add(\`\${round} \${index}\`, new Uint8Array(), 60)
         counts.push(database.prepare('SELECT count(*) AS count FROM sessions').get().count)
         now += 60_000
       }
       console.log(counts.join())`,
    )
    expect(await run(runtime, script)).toBe('100,100\n')
  })

  it('lets a record run out when it would have, where it is read without a time to live', async () => {
    const script = join(folder, 'script.mts')
    await writeFile(
      script,
      `import { SqliteStore } from '${PROJECT}/examples/sqlite/sqlite-store.ts'
       let now = 1_000_000
       const store = await SqliteStore.open('${file}', () => now)
       await store.add('key', new Uint8Array(), 10)
       const found = async () => (await store.get('key', undefined)) !== undefined
       now += 9_999
       const before = await found()
       now += 1
       console.log(before, await found(), await store.get('key', null).catch(({ name }) => name))`,
    )
    expect(await run(runtime, script)).toBe('true false RangeError\n')
  })
})

describe.each<[Runtime, Runtime]>([
  ['Bun', 'Bun'],
  ['Node 22', 'Node 22'],
  ['Bun', 'Node 22'],
])('SqliteStore on a file shared by %s and %s', (...runtimes) => {
  /** Both processes run the leg at once, once both have run the one before. */
  async function race<Result>(racers: Racer[], leg: Leg): Promise<Result[]> {
    const startAt = Date.now() + 20
    return (await Promise.all(racers.map((racer) => racer.run(leg, startAt)))) as Result[]
  }
  const winners = (outcomes: string[][], won: string) =>
    Array.from({ length: LAPS }, (_, lap) =>
      ['one', 'other'].filter((_, racer) => outcomes[racer]![lap] === won),
    )

  it('lets one of two adds win, and one of two replaces at one version', { timeout: 30_000 }, async () => {
    const racers = [await startRacer(runtimes[0], 'one'), await startRacer(runtimes[1], 'other')]
    const added = winners(await race(racers, 'add'), 'added')
    expect(await race(racers, 'read')).toEqual([added.flat(), added.flat()])

    const outcomes = await race<string[]>(racers, 'replace')
    const replaced = winners(outcomes, 'replaced')
    expect(winners(outcomes, 'conflict').flat()).toHaveLength(LAPS)
    expect(await race(racers, 'read')).toEqual([replaced.flat(), replaced.flat()])
  })

  it('keeps a counter exact that both raise', { timeout: 30_000 }, async () => {
    const racers = [await startRacer(runtimes[0], 'one'), await startRacer(runtimes[1], 'other')]
    const [one, other] = await race<number>(racers, 'count')
    expect(one).toBeGreaterThanOrEqual(LAPS)
    expect(await race(racers, 'total')).toEqual([one! + other!, one! + other!])
  })
})

function run(runtime: Runtime, ...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    const options = { cwd: PROJECT, env: environment(), timeout: 50_000 }
    execFile(BINARIES[runtime], args, options, (_error, stdout, stderr) => resolve(stdout + stderr))
  })
}

interface Racer {
  run(leg: Leg, startAt: number): Promise<unknown>
}

async function startRacer(runtime: Runtime, name: string): Promise<Racer> {
  const child = spawn(BINARIES[runtime], ['test/support/sqlite-racer.ts', file, name, String(LAPS)], {
    cwd: PROJECT,
    env: environment(),
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  cleanups.push(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const answer = async (): Promise<unknown> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`the racer on ${runtime} ended`)
    return JSON.parse(value)
  }
  expect(await answer()).toBe('ready')
  return {
    run(leg, startAt) {
      child.stdin.write(`${JSON.stringify({ leg, startAt })}\n`)
      return answer()
    },
  }
}
