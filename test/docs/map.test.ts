import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

describe('test/README.md', () => {
  it('names every folder of test/ and every test that stands in none, and nothing else', () => {
    const rows = readFileSync('test/README.md', 'utf8').match(/^\| `[^|]+/gm) ?? []
    const named = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map(([, name]) => name!))
    const present = readdirSync('test', { withFileTypes: true }).flatMap((entry) => {
      if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : `${entry.name}/`
      return entry.name.endsWith('.test.ts') ? entry.name : []
    })
    expect(named.toSorted()).toEqual(present.toSorted())
  })
})
