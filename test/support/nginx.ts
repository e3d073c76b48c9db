import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { endWithTests } from './running.ts'

/**
 * A real nginx with these lines in its `http` block, once it answers; gives back what ends it. Paths in the lines are
 * relative to a folder of its own.
 */
export async function runNginx(http: string): Promise<{ stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-nginx-'))
  const port = await freePort()
  await writeFile(join(folder, 'nginx.conf'), configuration(port, http))
  const child = spawn('nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'error.log'], {
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
    stdio: 'ignore',
  })
  // By SIGTERM, with which its worker ends, too.
  endWithTests(child, folder, () => child.kill('SIGTERM'))
  let failure: unknown
  child.once('error', (error) => (failure = error))
  while (!(await answers(`http://127.0.0.1:${port}`))) {
    if (!failure && child.exitCode === null && child.signalCode === null) continue
    const log = await readFile(join(folder, 'error.log'), 'utf8').catch(() => '')
    await rm(folder, { recursive: true })
    throw new Error(`nginx did not start: ${String(failure ?? log)}`)
  }
  return {
    async stop() {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
      await rm(folder, { recursive: true })
    },
  }
}

/** All its paths are in the folder that nginx is started for. */
function configuration(port: number, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid pid;
events {}
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${name};`).join('\n  ')}
  server {
    listen 127.0.0.1:${port};
    location / { return 204; }
  }
  ${http}
}`
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).status === 204
  } catch {
    await sleep(5)
    return false
  }
}
