import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onOwnCore } from './cores.ts'

/** What can be started. */
export interface Startable {
  name: string
  /** In servers/, where it is not called as the name is. */
  file?: string
  runtime?: 'Node' | 'Bun'
  /** Another checkout, built, whose library it runs. */
  checkout?: string
}

/** A server in a process of its own. */
export interface ServerProcess {
  url: string
  /** Microseconds of CPU that the process has used so far, all threads together. */
  cpu(): Promise<number>
  stop(): Promise<void>
}

/** Starts it and waits until it listens. `env` configures it. */
export async function startServer(
  { name, file = name, runtime = 'Node', checkout }: Startable,
  env: Record<string, string>,
): Promise<ServerProcess> {
  // It says where the library is, to tsx and to Bun.
  const tsconfig = checkout === undefined ? `${here}tsconfig.json` : resolve(checkout, 'bench/tsconfig.json')
  const [runs, ...flags] = commands[runtime](tsconfig)
  if (!existsSync(runs!)) throw new Error(`${runs} is missing; run first: npm ci --prefix test/runtimes`)
  const [command, ...args] = onOwnCore(runs!, ...flags, `${here}lib/servers/${file}.ts`)
  const child = spawn(command, args, {
    env: { ...process.env, NODE_ENV: 'production', NODE_OPTIONS: '', TSX_TSCONFIG_PATH: tsconfig, ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  const ended = once(child, 'exit').then(() => {
    throw new Error(`the server ${name} ended`)
  })
  ended.catch(() => {})
  const next = async () => {
    const [answer] = await Promise.race([once(child, 'message'), ended])
    return answer as number
  }
  const port = await next()
  return {
    url: `http://127.0.0.1:${port}`,
    cpu() {
      const answer = next()
      child.send('cpu')
      return answer
    },
    async stop() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** No run may leave one behind, not even one that failed. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

const here = fileURLToPath(new URL('..', import.meta.url))
/** tsx in the process itself, not as its parent: then the CPU is the server's. */
const commands = {
  Node: () => [process.execPath, '--import', 'tsx'],
  Bun: (tsconfig: string) => [
    fileURLToPath(new URL('../../test/runtimes/node_modules/.bin/bun', import.meta.url)),
    `--tsconfig-override=${tsconfig}`,
  ],
}
