import { fileURLToPath, pathToFileURL } from 'node:url'
import { onTestFinished } from 'vitest'
import { plant, type Fault } from '../support/planted.ts'

/** The library as an application imports it: this one, or one with a defence removed. */
export interface Build {
  core: typeof import('../../src/core/index.ts')
  memcached: typeof import('../../src/core/stores/memcached/memcached-store.ts')
  hono: typeof import('../../src/adapters/hono.ts')
  koa: typeof import('../../src/adapters/koa.ts')
  fetch: typeof import('../../src/adapters/fetch.ts')
}

export function soundBuild(): Promise<Build> {
  return loadBuild(fileURLToPath(new URL('../../src/', import.meta.url)))
}

/** For the test that asks for it. */
export async function buildWithout(defence: readonly Fault[]): Promise<Build> {
  const { folder, remove } = await plant(...defence)
  onTestFinished(remove)
  return loadBuild(`${folder}/src/`)
}

async function loadBuild(sources: string): Promise<Build> {
  const load = (file: string) => import(/* @vite-ignore */ pathToFileURL(`${sources}${file}`).href)
  const [core, memcached, hono, koa, fetch] = await Promise.all([
    load('core/index.ts'),
    load('core/stores/memcached/memcached-store.ts'),
    load('adapters/hono.ts'),
    load('adapters/koa.ts'),
    load('adapters/fetch.ts'),
  ])
  return { core, memcached, hono, koa, fetch }
}
