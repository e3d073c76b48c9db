import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** What a session library adds to a server, in bytes. */
export interface Bundle {
  name: string
  minified: number
  gzipped: number
}

const holdfast = {
  core: '../dist/core/index.js',
  hono: '../dist/adapters/hono.js',
  memcached: '../dist/core/stores/memcached/memcached-store.js',
}

const contents: Record<string, string[]> = {
  'holdfast: core + Hono adapter': [holdfast.core, holdfast.hono],
  'holdfast: that + MemcachedStore with memjs': [holdfast.core, holdfast.hono, holdfast.memcached],
  'hono-sessions + memjs': ['hono-sessions', 'memjs'],
  '@hono/session + memjs': ['@hono/session', 'memjs'],
  'Remix session, cookie, session-storage-memcache': [
    '@remix-run/session',
    '@remix-run/cookie',
    '@remix-run/session-storage-memcache',
  ],
  'koa-session + memjs': ['koa-session', 'memjs'],
  'express-session + connect-memjs': ['express-session', 'connect-memjs'],
  '@fastify/session, @fastify/cookie + memjs': ['@fastify/session', '@fastify/cookie', 'memjs'],
}

/** Session libraries with their clients of memcached, bundled for Node; frameworks are left out. */
export async function measureBundles(): Promise<Bundle[]> {
  return Promise.all(Object.entries(contents).map(([name, modules]) => measureBundle(name, modules)))
}

async function measureBundle(name: string, modules: readonly string[]): Promise<Bundle> {
  const { outputFiles } = await build({
    stdin: {
      contents: modules.map((module, index) => `export * as m${index} from '${module}'`).join('\n'),
      resolveDir: fileURLToPath(new URL('..', import.meta.url)),
    },
    external: ['hono', 'koa', 'express', 'fastify'],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    write: false,
    logLevel: 'error',
  })
  const { contents } = outputFiles[0]!
  return { name, minified: contents.length, gzipped: gzipSync(contents).length }
}
