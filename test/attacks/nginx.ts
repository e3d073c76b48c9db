import { freePort } from '../support/free-port.ts'
import { runNginx } from '../support/nginx.ts'

/** A real shared cache before any application of this machine. */
export interface Nginx {
  /** As nginx is by default: it heeds Cache-Control, Set-Cookie and Vary. */
  heedful(appUrl: string): string
  /** Set up against its documentation's advice: it heeds Cache-Control alone, and keeps a page without one. */
  careless(appUrl: string): string
  stop(): Promise<void>
}

export async function startNginx(): Promise<Nginx> {
  const port = await freePort()
  const { stop } = await runNginx(caches(port))
  const url = `http://127.0.0.1:${port}`
  return {
    heedful: (appUrl) => `${url}/heedful/${new URL(appUrl).port}`,
    careless: (appUrl) => `${url}/careless/${new URL(appUrl).port}`,
    stop,
  }
}

function caches(port: number): string {
  const location = (name: string, more: string) => `
    location ~ ^/${name}/(\\d+)(/.*)$ {
      proxy_pass http://127.0.0.1:$1$2$is_args$args;
      proxy_cache pages;
      proxy_cache_key ${name}/$1$2$is_args$args;
      add_header X-Cache-Status $upstream_cache_status;
      ${more}
    }`
  return `
  proxy_cache_path cache keys_zone=pages:1m;
  server {
    listen 127.0.0.1:${port};
    ${location('heedful', '')}
    ${location('careless', 'proxy_ignore_headers Set-Cookie Vary; proxy_cache_valid 200 1m;')}
  }`
}
