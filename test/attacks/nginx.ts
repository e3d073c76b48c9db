import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../support/free-port.ts'

/** A real shared cache before any application of this machine. */
export interface Nginx {
  /** As nginx is by default: it heeds Cache-Control, Set-Cookie and Vary. */
  heedful(appUrl: string): string
  /** Set up against its documentation's advice: it heeds Cache-Control alone, and keeps a page without one. */
  careless(appUrl: string): string
  stop(): Promise<void>
}

export async function startNginx(): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-nginx-'))
  const port = await freePort()
  await writeFile(join(folder, 'nginx.conf'), configuration(port))
  const child = spawn('nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'error.log'], {
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
    stdio: 'ignore',
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  let failure: unknown
  child.once('error', (error) => (failure = error))
  const url = `http://127.0.0.1:${port}`
  while (!(await answers(url))) {
    if (!failure && child.exitCode === null) continue
    const log = await readFile(join(folder, 'error.log'), 'utf8').catch(() => '')
    throw new Error(`nginx did not start: ${String(failure ?? log)}`)
  }
  return {
    heedful: (appUrl) => `${url}/heedful/${new URL(appUrl).port}`,
    careless: (appUrl) => `${url}/careless/${new URL(appUrl).port}`,
    async stop() {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
      await rm(folder, { recursive: true })
    },
  }
}

/** No test may leave one behind, not even one that crashed; its worker ends with it. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGTERM')
})

/** All its paths are in the folder that nginx is started for. */
function configuration(port: number): string {
  const location = (name: string, more: string) => `
    location ~ ^/${name}/(\\d+)(/.*)$ {
      proxy_pass http://127.0.0.1:$1$2$is_args$args;
      proxy_cache pages;
      proxy_cache_key ${name}/$1$2$is_args$args;
      add_header X-Cache-Status $upstream_cache_status;
      ${more}
    }`
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
  proxy_cache_path cache keys_zone=pages:1m;
  server {
    listen 127.0.0.1:${port};
    location = / { return 204; }
    ${location('heedful', '')}
    ${location('careless', 'proxy_ignore_headers Set-Cookie Vary; proxy_cache_valid 200 1m;')}
  }
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
