import { existsSync, readFileSync } from 'node:fs'
import { join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { documents } from './documents.ts'

const files = [...documents, 'test/README.md']

describe('links in documents', () => {
  it.each(files)('%s refers to files and headings that exist', (file) => {
    const links = [...readFileSync(file, 'utf8').matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!)
    for (const link of links.filter((each) => !each.includes('://'))) {
      const [path = '', heading] = link.split('#')
      const target = path === '' ? file : normalize(join(file, '..', path))
      expect(existsSync(target), link).toBe(true)
      if (heading !== undefined) expect(headingsOf(readFileSync(target, 'utf8')), link).toContain(heading)
    }
  })

  it('would be missed if the pattern found none', () => {
    const found = files.map((file) => [...readFileSync(file, 'utf8').matchAll(/\]\([^)\s]+\)/g)].length)
    expect(found.reduce((sum, count) => sum + count)).toBeGreaterThan(100)
  })
})

/** As GitHub makes them of headings. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
}
