import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { endWithTests } from './running.ts'

/** A real Redis of a test's own, on a free port of the loopback; what it writes down goes with it. */
export interface RedisServerProcess {
  port: number
  /** `redis://host:port` */
  address: string
  pid: number
  /** Ends it, frozen or not, and waits until it is gone, with what it has written down. Default `SIGKILL`. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Ends it as a crash does: what it has written down is there for `restart`. */
  kill(): Promise<void>
  /** Starts it again where it was, with what it had written down and was left. */
  restart(): Promise<void>
  freeze(): void
  thaw(): void
  /** Sends a command on a socket of its own and gives back all that came, in RESP. */
  text(...command: string[]): Promise<string>
}

/** Starts redis-server, without persistence unless `args` say otherwise, and waits until it answers. */
export async function startRedis(...args: string[]): Promise<RedisServerProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-redis-'))
  // What it has forked may write for a moment longer.
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 3 })
  let port = await freePort()
  let child: ChildProcess
  let exited: Promise<unknown>
  const start = async () => {
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', ...args]
    child = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'pipe'] })
    endWithTests(child, folder)
    exited = once(child, 'exit')
    exited.catch(() => {})
    await untilReady(child)
  }
  const send = (signal: NodeJS.Signals) => void process.kill(child.pid!, signal)
  // Another test may have taken the port since.
  for (let tries = 1; ; tries++) {
    try {
      await start()
      break
    } catch (error) {
      if (tries === 5 || !/Address already in use/.test(String(error))) {
        await remove()
        throw error
      }
      port = await freePort()
    }
  }
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) send(signal)
    await exited
  }
  return {
    port,
    address: `redis://127.0.0.1:${port}`,
    get pid() {
      return child.pid!
    },
    async stop(signal = 'SIGKILL') {
      await end(signal)
      await remove()
    },
    kill: () => end('SIGKILL'),
    async restart() {
      await mkdir(folder, { recursive: true })
      await start()
    },
    freeze: () => send('SIGSTOP'),
    thaw: () => send('SIGCONT'),
    text: (...command) => ask(port, command),
  }
}

/** By its own words: on its port another one may answer. */
async function untilReady(child: ChildProcess): Promise<void> {
  let said = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  let failure: unknown
  child.once('error', (error) => (failure = error))
  for (let tries = 0; tries < 1000; tries++) {
    if (failure || child.exitCode !== null) break
    if (said.includes('Ready to accept connections')) return
    await sleep(5)
  }
  child.kill('SIGKILL')
  throw new Error(`redis-server did not start: ${said || String(failure ?? 'no answer within 5 s')}`)
}

async function ask(port: number, command: string[]): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port })
  const asked = (parts: string[]) =>
    `*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`
  socket.write(asked(command) + asked(['QUIT']))
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
    .toString('latin1')
    .replace(/\+OK\r\n$/, '')
}

/** Three masters that share the slots. */
export interface RedisCluster {
  masters: RedisServerProcess[]
  ports: number[]
  stop(): Promise<void>
}

export async function startRedisCluster(): Promise<RedisCluster> {
  const masters = await Promise.all(
    [0, 1, 2].map(async () =>
      startRedis(
        ...'--cluster-enabled yes --cluster-node-timeout 2000 --cluster-require-full-coverage no'.split(' '),
        ...`--cluster-port ${await freePort()} --cluster-config-file nodes.conf`.split(' '),
      ),
    ),
  )
  const [first] = masters
  const busPort = async ({ text }: RedisServerProcess) =>
    /cluster-port\r\n\$\d+\r\n(\d+)/.exec(await text('CONFIG', 'GET', 'cluster-port'))![1]!
  await Promise.all(
    masters.map(async ({ text }, index) => {
      await text(
        'CLUSTER',
        'ADDSLOTSRANGE',
        String(Math.ceil((index * 16384) / 3)),
        String(Math.ceil(((index + 1) * 16384) / 3) - 1),
      )
    }),
  )
  for (const other of masters.slice(1)) {
    await first!.text('CLUSTER', 'MEET', '127.0.0.1', String(other.port), await busPort(other))
  }
  const isWhole = async ({ text }: RedisServerProcess) => {
    const info = await text('CLUSTER', 'INFO')
    // Without full coverage its state is ok before it has heard of all slots.
    return ['cluster_state:ok', 'cluster_known_nodes:3', 'cluster_slots_assigned:16384'].every((line) =>
      info.includes(line),
    )
  }
  for (let tries = 0; !(await Promise.all(masters.map(isWhole))).every(Boolean); tries++) {
    if (tries === 200) throw new Error('the cluster did not come together within 10 s')
    await sleep(50)
  }
  return {
    masters,
    ports: masters.map(({ port }) => port),
    async stop() {
      await Promise.all(masters.map(async (master) => master.stop()))
    },
  }
}
