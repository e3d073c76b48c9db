import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

export interface Workerd {
  /** `http://127.0.0.1:port` */
  url: string
  /** All it has said so far. */
  output(): string
  stop(): Promise<void>
}

/** Builds the sources anew and serves them in workerd as the ES modules that they are, without a bundler. */
export async function startWorkerd(): Promise<Workerd> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-workerd-'))
  const removed = () => rm(folder, { recursive: true, force: true })
  try {
    await promisify(execFile)('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json', '--outDir', folder])
    await copyFile('test/runtimes/workerd/worker.mjs', join(folder, 'worker.js'))
    const built = await readdir(folder, { recursive: true })
    await writeFile(join(folder, 'worker.capnp'), configuration(built.filter(isForWorker)))
    return await serve(folder, removed)
  } catch (error) {
    await removed()
    throw error
  }
}

/** The core without memcached, which needs sockets of Node's. */
function isForWorker(file: string): boolean {
  return (
    file === 'worker.js' ||
    (/^(core|testing)\/.*\.js$/.test(file) && !file.includes('memcached/')) ||
    file === 'adapters/fetch.js'
  )
}

/** The first module is the worker. */
function configuration(files: string[]): string {
  const ordered = ['worker.js', ...files.filter((file) => file !== 'worker.js')]
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [${ordered.map((file) => `(name = "${file}", esModule = embed "${file}")`).join(', ')}],
  compatibilityDate = "2026-10-01",
  compatibilityFlags = ["no_nodejs_compat", "no_nodejs_compat_v2"],
);
`
}

async function serve(folder: string, removed: () => Promise<void>): Promise<Workerd> {
  const command = resolve('test/runtimes/more/node_modules/.bin/workerd')
  const child = spawn(command, ['serve', '--control-fd=3', 'worker.capnp'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const stopsWithUs = () => child.kill('SIGKILL')
  process.once('exit', stopsWithUs)
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const failed = once(child, 'exit').then(() => Promise.reject(new Error(`workerd ended: ${output}`)))
  failed.catch(() => {})
  const lines = createInterface(child.stdio[3] as NodeJS.ReadableStream)
  const [line] = (await Promise.race([once(lines, 'line'), failed])) as [string]
  const { port } = JSON.parse(line) as { port: number }
  return {
    url: `http://127.0.0.1:${port}`,
    output: () => output,
    async stop() {
      process.off('exit', stopsWithUs)
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      await removed()
    },
  }
}
