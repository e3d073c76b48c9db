// What do the parts of a request cost, without any I/O? npm run micro
import { Bench } from 'tinybench'
import { built } from '../lib/built.ts'
import { describeEnvironment, readEnvironment } from '../lib/environment.ts'
import { sampleData } from '../lib/sample-data.ts'
import { SECRET } from '../lib/servers/listening.ts'
import { table } from '../lib/table.ts'

const core = await built('index')
const cookies = await built('http/cookie')
const crypto = await built('crypto/keyring')

let clock = Date.now()
const manager = core.createSessionManager({ store: new core.MemoryStore(), secret: SECRET, now: () => clock })
const response = () => ({ status: 200, headers: new Headers() })

const bench = new Bench({ time: 300, warmupTime: 200 })
const cpu = new Map<string, number>()

add('an empty asynchronous function', async () => {})
add('Headers of a response, made in most of these', async () => void response())

const cookie = await signedIn(sampleData())
add('open and commit a session that nobody touches', async () => {
  await manager.commit(manager.open(cookie), response)
})
add('load: open, read one key, commit', async () => {
  const session = manager.open(cookie)
  await session.get('userId')
  await manager.commit(session, response)
})
add('change: open, update one key, commit', async () => {
  // A record remembers its writes of the last two seconds; a typical one was written longer ago.
  clock += 3_000
  const session = manager.open(cookie)
  await session.update('views', (n = 0) => n + 1)
  await manager.commit(session, response)
})

const keyring = new crypto.Keyring('__Host-session', () => [Buffer.from(SECRET)])
const token = cookie.slice(cookie.indexOf('=') + 1)
const { storeKey } = await keyring.keysOf(token)
// Anew each time: a request keeps the key that it derived.
const keys = () => ({ token, storeKey })
const text = JSON.stringify(sampleData())
const sealed = await keyring.seal(keys(), text)
add('derive the store key from a token', () => keyring.keysOf(token))
add(`seal ${text.length} characters, deriving their key`, () => keyring.seal(keys(), text))
add('open them, deriving their key', () => keyring.open(keys(), sealed))

const header = `theme=dark; _ga=GA1.1.1234567890.1234567890; ${cookie}; consent=yes`
add('read the cookie, one of four', () => cookies.readSessionTokens(header, '__Host-session'))

for (const keys of [10, 100, 1_000]) {
  const data = Object.fromEntries(Array.from({ length: keys }, (_, key) => [`key${key}`, { items: [key] }]))
  const cookie = await signedIn(data)
  add(`load ${keys} keys, read one`, async () => {
    const session = manager.open(cookie)
    await session.get('key0')
    await manager.commit(session, response)
  })
  add(`load ${keys} keys, read all, find that none has changed`, async () => {
    const session = manager.open(cookie)
    await session.entries()
    await manager.commit(session, response)
  })
}

await bench.run()
console.log(`${describeEnvironment(readEnvironment('npm run micro'))}\n`)
console.log(
  table(
    ['operation', 'µs, median', 'CPU in µs, mean', 'a second'],
    bench.tasks.map(({ name, result }) => {
      if (result.state !== 'completed') throw new Error(`${name}: ${result.state}`, { cause: result })
      const { p50 } = result.latency
      return [
        name,
        (p50! * 1000).toFixed(2),
        cpu.get(name)!.toFixed(2),
        Math.round(1000 / p50!).toLocaleString('en'),
      ]
    }),
  ),
)

/** With the CPU of the measured runs: of all threads, so with what the garbage collector takes. */
function add(name: string, operation: () => unknown): void {
  let operations = 0
  let before: NodeJS.CpuUsage | undefined
  bench.add(
    name,
    () => {
      operations++
      return operation()
    },
    {
      beforeAll() {
        operations = 0
        before = process.cpuUsage()
      },
      afterAll() {
        const { user, system } = process.cpuUsage(before)
        cpu.set(name, (user + system) / operations)
      },
    },
  )
}

async function signedIn(data: object): Promise<string> {
  const session = manager.open(undefined)
  for (const [key, value] of Object.entries(data)) session.set(key, value)
  const { status, headers } = response()
  await manager.commit(session, () => ({ status, headers }))
  return headers.getSetCookie()[0]!.split(';')[0]!
}
