import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { MemoryStore } from 'holdfast'
import { sessionStoreContract } from 'holdfast/testing'

const guide = readFileSync('docs/stores.md', 'utf8')

describe('docs/stores.md', () => {
  it('shows no code but that of files which the tests run', () => {
    const shown = [...guide.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code)
    const files = [
      'test/docs/stores/in-vitest.test.ts',
      'test/docs/stores/in-node.ts',
      'test/docs/stores/in-bun.ts',
      'examples/sqlite/database.ts',
      'examples/sqlite/sqlite-store.ts',
    ]
    expect(shown).toEqual(files.map((file) => readFileSync(file, 'utf8')))
    expect(guide.match(/```\w+/g)).toHaveLength(files.length)
  })

  it('tells of every case of the contract, in their order', () => {
    const [, contract] = /\n## The contract\n(.*?)\n### What no case tries\n/s.exec(guide)!
    const told = [...contract!.matchAll(/^- \*\*(.+?)\.\*\*/gm)].map(([, name]) => name)
    expect(told).toEqual(sessionStoreContract(() => new MemoryStore()).map(({ name }) => name))
  })
})
