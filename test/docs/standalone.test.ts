import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const FOLDER = 'examples/standalone'
const names = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)

describe(FOLDER, () => {
  it('is named where somebody looks for it', () => {
    expect(names.toSorted()).toEqual(['bun', 'express', 'hono', 'koa'])
    expect(readFileSync('README.md', 'utf8')).toContain(FOLDER)
    for (const name of names) {
      expect(readFileSync('docs/frameworks.md', 'utf8')).toContain(`(../${FOLDER}/${name})`)
      expect(readFileSync(`docs/frameworks/${name}.md`, 'utf8')).toContain(`(../../${FOLDER}/${name})`)
    }
  })
})

describe.each(names)(`${FOLDER}/%s`, (name) => {
  const read = (file: string) => readFileSync(join(FOLDER, name, file), 'utf8')
  const description = JSON.parse(read('package.json'))

  it('is read in two minutes', () => {
    // Counted without what stands in docs/csrf.md, word for word.
    expect(read('server.ts').trimEnd().split('\n').length).toBeLessThanOrEqual(80)
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThan(15)
    const sources = readdirSync(join(FOLDER, name)).filter((file) => file.endsWith('.ts'))
    expect(['may-be-forged.ts', 'server.ts']).toEqual(expect.arrayContaining(sources))
    if (sources.length > 1) expect(readFileSync('docs/csrf.md', 'utf8')).toContain(read('may-be-forged.ts'))
  })

  it('needs nothing that stands above it', () => {
    for (const file of ['server.ts', 'tsconfig.json', 'package.json', 'compose.yaml', 'README.md']) {
      expect(read(file), file).not.toContain('../')
    }
    expect(JSON.parse(read('tsconfig.json')).compilerOptions.strict).toBe(true)
    for (const [, guide] of read('README.md').matchAll(/`([\w/]+\.md)`/g)) {
      expect(existsSync(join('docs', guide!)), guide).toBe(true)
    }
  })

  it('takes the version of Holdfast that this is, and of everything else the very one that is tested here', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
    const { holdfast, ...others } = { ...description.dependencies, ...description.devDependencies }
    expect(description.private).toBe(true)
    expect(holdfast).toBe(`^${version}`)
    const tested = ['package.json', 'test/recipes/package.json'].map((file) =>
      JSON.parse(readFileSync(file, 'utf8')),
    )
    const versions = Object.assign({}, ...tested.flatMap((each) => [each.devDependencies, each.dependencies]))
    for (const [dependency, wanted] of Object.entries(others)) {
      expect(wanted, dependency).toMatch(/^\d+\.\d+\.\d+$/)
      if (versions[dependency] !== undefined) expect(wanted, dependency).toBe(versions[dependency])
    }
  })
})
