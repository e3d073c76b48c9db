import * as fetch from '../../src/adapters/fetch.ts'
import * as hono from '../../src/adapters/hono.ts'
import * as koa from '../../src/adapters/koa.ts'
import * as core from '../../src/core/index.ts'
import * as memcached from '../../src/core/stores/memcached/memcached-store.ts'
import type { Fault } from '../support/bundle.ts'
import { importPlanted } from '../support/planted.ts'

/** The library as an application imports it: this one, or one with a defence removed. */
export interface Build {
  core: typeof core
  memcached: typeof memcached
  hono: typeof hono
  koa: typeof koa
  fetch: typeof fetch
}

const FILES = [
  'src/core/index.ts',
  'src/core/stores/memcached/memcached-store.ts',
  'src/adapters/hono.ts',
  'src/adapters/koa.ts',
  'src/adapters/fetch.ts',
]

export const soundBuild: Build = { core, memcached, hono, koa, fetch }

export async function buildWithout(defence: readonly Fault[]): Promise<Build> {
  const [core, memcached, hono, koa, fetch] = await importPlanted(defence, ...FILES)
  return { core, memcached, hono, koa, fetch } as Build
}
