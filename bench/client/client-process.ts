// One client of memcached in a process of its own: reads for a while at each message, and answers with what it took.
import assert from 'node:assert/strict'
import { clients } from './clients.ts'

/** What the process is asked for. */
export interface Task {
  keys: string[]
  value: string
  inFlight: number
  milliseconds: number
}

/** What it answers. */
export interface ClientRound {
  perSecond: number
  /** Microseconds of the client's CPU, an operation. */
  cpu: number
}

const [name, port] = process.argv.slice(2)
const read = await clients[name as keyof typeof clients](Number(port))

process.on('message', (task: Task) => void run(task).then((round) => process.send!(round)))
process.once('disconnect', () => process.exit())
process.send!('ready')

async function run({ keys, value, inFlight, milliseconds }: Task): Promise<ClientRound> {
  assert.ok(textIn(await read(keys[0]!)).includes(value), `${name} read something else`)
  const startedAt = performance.now()
  const cpuBefore = process.cpuUsage()
  let operations = 0
  const worker = async () => {
    while (performance.now() - startedAt < milliseconds) await read(keys[operations++ % keys.length]!)
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  const { user, system } = process.cpuUsage(cpuBefore)
  const seconds = (performance.now() - startedAt) / 1000
  return { perSecond: operations / seconds, cpu: (user + system) / operations }
}

/** Clients answer with a string, bytes, or either in an object of theirs. */
function textIn(answer: unknown): string {
  if (answer instanceof Uint8Array) return Buffer.from(answer).toString('latin1')
  if (typeof answer !== 'object' || answer === null) return String(answer)
  return Object.values(answer).map(textIn).join('\n')
}
