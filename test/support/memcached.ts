import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect, isIPv6 } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endWithTests } from './running.ts'

/** A real memcached of a test's own, on a free port of the loopback. */
export interface Memcached {
  port: number
  /** `memcached://host:port` */
  address: string
  pid: number
  /** Ends it, frozen or not, and waits until it is gone. Default `SIGKILL`: there is nothing to keep. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Stops it in its tracks, connections open; resolves once every thread of it stands still. */
  freeze(): Promise<void>
  thaw(): void
  /** Sends a command of the text protocol on a socket of its own and gives back all that came. */
  text(command: string): Promise<string>
}

/** Starts memcached and waits until it accepts; `port` is for starting one again where it was. */
export async function startMemcached({
  args = [],
  env = {},
  host = '127.0.0.1',
  port = -1,
}: StartOptions = {}): Promise<Memcached> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-memcached-'))
  const portFile = join(folder, 'port')
  try {
    // Port -1 lets the kernel choose, so that two tests never race for one.
    const child = spawn('memcached', ['-l', host, '-p', String(port), '-U', '0', ...asRoot(), ...args], {
      env: { ...process.env, ...env, MEMCACHED_PORT_FILENAME: portFile },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    endWithTests(child)
    const exited = once(child, 'exit')
    exited.catch(() => {})
    // Not child.kill, which in Deno sends one signal and no other.
    const send = (signal: NodeJS.Signals) => void process.kill(child.pid!, signal)
    const actualPort = await listeningPort(child, portFile)
    return {
      port: actualPort,
      address: `memcached://${isIPv6(host) ? `[${host}]` : host}:${actualPort}`,
      pid: child.pid!,
      async stop(signal = 'SIGKILL') {
        if (child.exitCode === null && child.signalCode === null) send(signal)
        await exited
      },
      async freeze() {
        send('SIGSTOP')
        while (!(await standsStill(child.pid!))) await sleep(1)
      },
      thaw: () => send('SIGCONT'),
      text: (command) => askInText(host, actualPort, command),
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

export interface StartOptions {
  args?: readonly string[]
  env?: Record<string, string>
  /** Default 127.0.0.1. */
  host?: string
  port?: number
}

function asRoot(): string[] {
  return process.getuid?.() === 0 ? ['-u', 'root'] : []
}

async function listeningPort(child: ChildProcess, portFile: string): Promise<number> {
  let complaints = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (complaints += text))
  let failure: unknown
  child.once('error', (error) => (failure = error))
  for (let tries = 0; tries < 1000; tries++) {
    // memcached moves the file into place after it listens.
    const port = /^TCP INET6?: (\d+)$/m.exec(await readFile(portFile, 'utf8').catch(() => ''))?.[1]
    if (port) return Number(port)
    if (failure || child.exitCode !== null) break
    await sleep(5)
  }
  child.kill('SIGKILL')
  throw new Error(`memcached did not start: ${complaints || String(failure ?? 'no port within 5 s')}`)
}

/** The state of a thread follows its name, which is in parentheses (proc(5)). */
async function standsStill(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`)
  const states = await Promise.all(
    threads.map(async (thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')),
  )
  return states.every((state) => /\) T /.test(state))
}

async function askInText(host: string, port: number, command: string): Promise<string> {
  const socket = connect({ host, port })
  socket.write(`${command}\r\nquit\r\n`)
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}
