import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { hasOwnCore } from './cores.ts'

/** What figures mean nothing without. */
export interface Environment {
  date: string
  command: string
  cpu: string
  cores: number
  /** Whether what was measured had one of them for itself. */
  hasOwnCore: boolean
  /** The load average of a minute before the run: above 0 others were at work. */
  loadBefore: number
  versions: Record<string, string>
  packages: Record<string, string>
}

export function readEnvironment(command: string): Environment {
  const [cpu] = cpus()
  return {
    date: new Date().toISOString().slice(0, 10),
    command,
    cpu: cpu!.model.trim(),
    cores: cpus().length,
    hasOwnCore,
    loadBefore: loadavg()[0]!,
    versions: {
      node: process.versions.node,
      ...(existsSync(bun) && { bun: firstVersion(bun, '--version') }),
      memcached: firstVersion('memcached', '-V'),
      redis: firstVersion('redis-server', '--version'),
      wrk: firstVersion('wrk', '-v'),
    },
    packages: {
      holdfast: packageAt('../../package.json').version,
      ...packageAt('../package.json').dependencies,
    },
  }
}

export function describeEnvironment({
  date,
  command,
  cpu,
  cores,
  hasOwnCore,
  loadBefore,
  versions,
}: Environment): string {
  const runtimes = ['node', 'bun', 'memcached', 'redis', 'wrk']
    .map((name) => `${name} ${versions[name]}`)
    .join(', ')
  return `${date}, ${command}; ${cpu}, ${cores} cores${hasOwnCore ? ', one for what is measured' : ''}, load before ${loadBefore.toFixed(1)}; ${runtimes}`
}

const bun = fileURLToPath(new URL('../../test/runtimes/node_modules/.bin/bun', import.meta.url))

function packageAt(path: string): { version: string; dependencies: Record<string, string> } {
  return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
}

/** Not every tool ends with success when it is asked. */
function firstVersion(command: string, flag: string): string {
  let said: unknown
  try {
    said = execFileSync(command, [flag], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch (error) {
    said = (error as { stdout?: unknown }).stdout
  }
  return /\d+(\.\d+)+/.exec(String(said))?.[0] ?? 'unknown'
}
