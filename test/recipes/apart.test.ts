import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

it('what changes the types of all applications, or compiles with other options, compiles', () => {
  const args = ['-p', 'test/recipes/tsconfig.apart.json']
  const { stdout, status } = spawnSync('node_modules/.bin/tsc', args, { encoding: 'utf8' })
  expect([stdout, status]).toEqual(['', 0])
}, 60_000)
