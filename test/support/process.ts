import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { bundle, type Fault } from './bundle.ts'
import { endWithTests } from './running.ts'

/** A server in a process of its own, running. */
export interface ServerProcess {
  /** `http://localhost:port` */
  url: string
  /** All it has said so far. */
  output(): string
  stop(): Promise<void>
}

/** What runs the examples. */
export type Runtime = 'Node' | 'Bun'

/** Starts an example, which runs the built package. */
export async function startExample(
  runtime: Runtime,
  file: string,
  env: Record<string, string> = {},
): Promise<ServerProcess> {
  if (!existsSync(inProject('dist'))) {
    throw new Error('the examples run the built package; run first: npm run build')
  }
  return startServer(runtime, file, { TSX_TSCONFIG_PATH: 'examples/tsconfig.json', ...env })
}

/** The runtime that runs the tests. */
export const ownRuntime: Runtime | 'Deno' = process.versions['bun']
  ? 'Bun'
  : process.versions['deno']
    ? 'Deno'
    : 'Node'

/** Starts an application of the tests on the runtime that runs them; on Node it may have faults in its sources. */
export async function startApp(
  name: 'outage' | 'proof',
  env: Record<string, string>,
  faults: readonly Fault[] = [],
): Promise<ServerProcess> {
  const file = `test/support/${name}-app.ts`
  if (ownRuntime !== 'Node') {
    if (faults.length > 0) throw new Error('faults are planted on Node alone')
    return startServer(ownRuntime, file, env)
  }
  const id = JSON.stringify([file, faults])
  if (!programs.has(id)) programs.set(id, bundle([file], faults))
  const [program, ...others] = await programs.get(id)!
  if (others.length > 0)
    throw new Error(`${file} is not one file: ${others.map((each) => each.file).join(', ')}`)
  return start(process.execPath, ['--input-type=module', '-'], env, program!.text)
}

/** Several processes run each, and none of them has to compile it. */
const programs = new Map<string, ReturnType<typeof bundle>>()

/** Starts a server on a free port and waits for the line that names its URL. */
export async function startServer(
  runtime: Runtime | 'Deno',
  file: string,
  env: Record<string, string> = {},
): Promise<ServerProcess> {
  const { command, args } = commands[runtime]
  if (!existsSync(command)) throw new Error(`${command} is missing; run first: npm ci --prefix test/runtimes`)
  return start(command, [...args, file], env)
}

async function start(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  input = '',
): Promise<ServerProcess> {
  const child = spawn(command, args, {
    cwd: inProject('.'),
    env: { ...process.env, ...unset, PORT: '0', ...env },
    stdio: 'pipe',
  })
  // One that ends before it has read all says itself why.
  child.stdin.on('error', () => {}).end(input)
  endWithTests(child)
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
  const url = await urlLine(child, () => output)
  return {
    url,
    output: () => output,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Of the caller's own environment, what would configure an example or is meant for vitest. */
const unset = {
  SESSION_STORE: undefined,
  CACHE_STORE: undefined,
  SESSION_SECRET: undefined,
  NODE_OPTIONS: undefined,
}

/** tsx in the process itself, not as its parent: then the pid is the server's. */
const commands: Record<Runtime | 'Deno', { command: string; args: string[] }> = {
  Node: { command: process.execPath, args: ['--import', 'tsx'] },
  Deno: { command: process.execPath, args: ['run', '-A'] },
  Bun: { command: inProject('test/runtimes/node_modules/.bin/bun'), args: [] },
}

/** How each runtime is given a module on its command line. */
const inlined: Record<Runtime | 'Deno', string[]> = {
  Node: ['--import', 'tsx', '--input-type=module', '-e'],
  Deno: ['eval'],
  Bun: ['-e'],
}

/**
 * Runs a script on the runtime of the tests until it ends, and gives back what it wrote. The script is no file: of one in
 * a temporary folder, what lies above it would decide what it can import.
 */
export async function runScript(script: string, env: Record<string, string> = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [...inlined[ownRuntime], script], {
    cwd: inProject('.'),
    env: { ...process.env, ...unset, ...env },
    timeout: 10_000,
  })
  return stdout.trim()
}

function inProject(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url))
}

async function urlLine(child: ChildProcess, output: () => string): Promise<string> {
  const deadline = AbortSignal.timeout(20_000)
  for (;;) {
    const url = /(http:\/\/localhost:\d+)\n/.exec(output())?.[1]
    if (url !== undefined) return url
    const isOver = child.exitCode !== null || child.signalCode !== null
    if (isOver || deadline.aborted) throw new Error(`the example did not start: ${output()}`)
    await nextOf(child, deadline)
  }
}

/** Waits for more output, for the end, or for the deadline. */
function nextOf(child: ChildProcess, deadline: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout!.once('data', () => resolve())
    child.once('exit', () => resolve())
    child.once('error', reject)
    deadline.addEventListener('abort', () => resolve(), { once: true })
  })
}
