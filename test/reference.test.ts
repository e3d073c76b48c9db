import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { say } from './package/project.ts'

describe('docs/reference/', { timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-reference-'))
  afterEach(() => rmSync(folder, { recursive: true }))

  it('is what `npm run reference` makes of the sources as they are', async () => {
    const said = await say(process.execPath, ['tools/reference/reference.mjs', folder])
    expect(said).not.toMatch(/^\d+: |warning|error/i)
    const made = pagesIn(folder)
    expect(Object.keys(made)).toContain('holdfast/hono.md')
    // Never to be mended by hand: a page is what the docstrings say.
    expect(pagesIn('docs/reference'), 'to make it anew: npm run reference').toEqual(made)
  })
})

function pagesIn(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  )
  return Object.fromEntries(names.toSorted().map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
}
