import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const DECLARATIONS = [
  'dist/core/index.d.ts',
  'dist/core/stores/memcached/memcached-store.d.ts',
  'dist/core/stores/redis/redis-store.d.ts',
  'dist/testing/index.d.ts',
]

describe('The declarations', () => {
  it('compile with the types of Node alone, without those of a browser', async () => {
    if (!DECLARATIONS.every((file) => existsSync(file))) throw new Error('run first: npm run build')
    expect(await complaints(DECLARATIONS)).toBe('')
  })
})

/** In a project of its own, which looks into the declarations of what it uses. */
async function complaints(files: readonly string[]): Promise<string> {
  const options = '--ignoreConfig --noEmit --strict --skipLibCheck false --module nodenext --target es2022'
  const args = [...options.split(' '), '--lib', 'es2023', '--types', 'node', ...files]
  const compiler = promisify(execFile)(process.execPath, ['node_modules/typescript/bin/tsc', ...args])
  return compiler.then(
    () => '',
    (error: Error & { stdout: string }) => error.stdout || error.message,
  )
}
