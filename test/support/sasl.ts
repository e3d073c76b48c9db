import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, Server } from 'memjs'
import type { StartOptions } from './memcached.ts'

/** Users and passwords for a memcached with SASL, in a folder of a test's own. */
export interface Users {
  /** What memcached is started with to know them. */
  startOptions: StartOptions
  /** Takes effect at once, in a server that runs already, too. */
  setPassword(username: string, password: string): Promise<void>
  remove(): Promise<void>
}

export async function makeUsers(): Promise<Users> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-users-'))
  const database = join(folder, 'users.db')
  await writeFile(
    join(folder, 'memcached.conf'),
    [
      'mech_list: plain',
      'pwcheck_method: auxprop',
      'auxprop_plugin: sasldb',
      `sasldb_path: ${database}`,
      '',
    ].join('\n'),
  )
  return {
    startOptions: { args: ['-S'], env: { SASL_CONF_PATH: folder } },
    async setPassword(username, password) {
      const child = spawn('saslpasswd2', ['-p', '-c', '-f', database, '-a', 'memcached', username], {
        // Where Debian keeps it, and not every user looks.
        env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
        stdio: ['pipe', 'ignore', 'inherit'],
      })
      child.stdin.end(password)
      const [status] = (await once(child, 'exit')) as [number | null]
      if (status !== 0) throw new Error(`saslpasswd2 ended with ${status}`)
    },
    remove: () => rm(folder, { recursive: true }),
  }
}

/** What a server says of itself to memjs's own client, which counts as a connection and an authentication. */
export function statsFor(
  { port }: { port: number },
  username: string,
  password: string,
): Promise<Record<string, number>> {
  const client = new Client([new Server('127.0.0.1', port, username, password)], { logger: { log() {} } })
  return new Promise((resolve, reject) => {
    client.stats((error, _, stats) => {
      client.close()
      if (error) return reject(error)
      resolve(Object.fromEntries(Object.entries(stats!).map(([name, value]) => [name, Number(value)])))
    })
  })
}
