import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

it('what changes the types of all applications, of Hono and of Koa, compiles', () => {
  const args = ['-p', 'test/recipes/tsconfig.one-place.json']
  const { stdout, status } = spawnSync('node_modules/.bin/tsc', args, { encoding: 'utf8' })
  expect([stdout, status]).toEqual(['', 0])
}, 60_000)
