import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startMemcached } from '../../test/support/memcached.ts'
import { onOwnCore } from '../lib/cores.ts'
import { RawClient } from '../lib/servers/raw-client.ts'
import type { ClientRound, Task } from './client-process.ts'
import { clients } from './clients.ts'

export interface ClientMeasurement {
  client: string
  /** In order, so that those of two clients can be compared pair by pair. */
  rounds: ClientRound[]
}

const IN_FLIGHT = 64
const MILLISECONDS = 500

/** How many reads a second each client gets through with 64 in flight; alternating rounds, as with the servers. */
export async function measureClients(rounds: number): Promise<ClientMeasurement[]> {
  const memcached = await startMemcached({ args: ['-t', '1'] })
  const names = Object.keys(clients)
  const children: ChildProcess[] = []
  try {
    const task: Task = {
      keys: Array.from({ length: 512 }, () => `session:${randomBytes(32).toString('base64url')}`),
      // A sealed session's length, in characters that every client gives back as they are.
      value: randomBytes(165).toString('hex'),
      inFlight: IN_FLIGHT,
      milliseconds: MILLISECONDS,
    }
    const writer = new RawClient(`127.0.0.1:${memcached.port}`)
    for (const key of task.keys) await writer.set(key, Buffer.from(task.value), 1800)
    writer.close()
    for (const name of names) children.push(await startClient(name, memcached.port))
    const measurements = names.map((client): ClientMeasurement => ({ client, rounds: [] }))
    // Round 0 warms up.
    for (let round = 0; round <= rounds; round++) {
      const order = [...measurements.keys()]
      for (const index of round % 2 === 0 ? order : order.toReversed()) {
        const result = await ask(children[index]!, task)
        if (round > 0) measurements[index]!.rounds.push(result)
      }
    }
    return measurements
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await memcached.stop()
  }
}

async function startClient(name: string, port: number): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('client-process.ts', import.meta.url))
  const [command, ...args] = onOwnCore(process.execPath, '--import', 'tsx', script, name, String(port))
  const child = spawn(command, args, {
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  await answerOf(child)
  return child
}

function ask(child: ChildProcess, task: Task): Promise<ClientRound> {
  const answer = answerOf(child)
  child.send(task)
  return answer as Promise<ClientRound>
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const over = new AbortController()
  const ended = once(child, 'exit', { signal: over.signal }).then(() => {
    throw new Error('a client ended')
  })
  ended.catch(() => {})
  const [answer] = await Promise.race([once(child, 'message'), ended])
  over.abort()
  return answer
}
