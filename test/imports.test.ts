import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const SOURCES = new URL('../src/', import.meta.url)
const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
)
const textOf = (file: string) => readFileSync(new URL(file, SOURCES), 'utf8')

/** A file, what it imports (a file or a package), and whether that import vanishes in the output. */
interface Import {
  from: string
  to: string
  isType: boolean
}
const imports = files.flatMap((file) => importsOf(file, textOf(file)))
const show = ({ from, to, isType }: Import) => `${from} imports ${isType ? 'type ' : ''}${to}`

// architecture.md, "Layers": a file imports from its own layer and from those before it in this list.
const LAYERS = [
  /^core\/(crypto\/[\w-]+|events|errors|check|store|within|eventually)\.ts$/,
  /^core\/(changes|record|cookie|token|json|working-copy|turns|memory-store|memcached\/(doctor\/)?[\w-]+)\.ts$/,
  /^core\/(session|session-state|options|load|commit|marks|swap|record-io|response-headers)\.ts$/,
  /^core\/manager\.ts$/,
  /^core\/index\.ts$/,
  /^((adapters|testing)\/[\w-]+|cli)\.ts$/,
]
const layerOf = (file: string) => LAYERS.findIndex((layer) => layer.test(file))
const isFile = (to: string) => files.includes(to)
const isCore = (file: string) => file.startsWith('core/')
const isAdapter = (file: string) => file.startsWith('adapters/')
const isMemcached = (file: string) => file.startsWith('core/memcached/')
/** What a store may know: its contract, the errors it raises, how an argument is checked and a time is kept. */
const isContract = (to: string) => /^core\/(store|errors|check|within)\.ts$/.test(to)

describe('architecture', () => {
  it.each<[string, (each: Import) => boolean]>([
    ['no import points to a higher layer', ({ from, to }) => isFile(to) && layerOf(to) > layerOf(from)],
    ['core never imports from outside core', ({ from, to }) => isCore(from) && isFile(to) && !isCore(to)],
    ['an adapter imports the public core and the types of its framework', ({ from, to, isType }) =>
      isAdapter(from) && to !== 'core/index.ts' && !(isType && from === `adapters/${to.replace(/:.*/, '')}.ts`)],
    ['MemoryStore imports the contract alone', ({ from, to }) =>
      from === 'core/memory-store.ts' && !isContract(to)],
    ['memcached/ imports the contract, its own parts, memjs and node:', ({ from, to }) =>
      isMemcached(from) && !isContract(to) && !isMemcached(to) && !/^(memjs|node:\w+)$/.test(to)],
    ['nothing in core imports memcached/ but itself', ({ from, to }) =>
      isCore(from) && !isMemcached(from) && isMemcached(to)],
    ['testing imports the public core and its own parts', ({ from, to }) =>
      from.startsWith('testing/') && to !== 'core/index.ts' && !to.startsWith('testing/')],
    ['only memcached/ and cli.ts import packages or node: (native.ts: types)', ({ from, to, isType }) =>
      !isFile(to) && !isMemcached(from) && !isAdapter(from) && from !== 'cli.ts' &&
      !(isType && from === 'core/crypto/native.ts' && to === 'node:crypto')],
  ])('%s', (_, breaks) => {
    expect(imports.filter(breaks).map(show)).toEqual([])
  }) // prettier-ignore

  it('no file imports itself in a circle, types aside', () => {
    const circle = (file: string, path: string[]): string[] => {
      if (path.includes(file)) return [...path, file]
      const values = imports.filter(({ from, isType }) => from === file && !isType)
      return values.map(({ to }) => circle(to, [...path, file])).find((found) => found.length > 0) ?? []
    }
    for (const file of files) expect(circle(file, [])).toEqual([])
  })

  it('only crypto/native.ts reaches for node: without an import', () => {
    const reaching = files.filter((file) => /require\(|getBuiltinModule|process\s*\./.test(codeOf(file)))
    expect(reaching.filter((file) => isCore(file) && !isMemcached(file))).toEqual(['core/crypto/native.ts'])
  })

  it('files are small, and have a layer and a name of their own', () => {
    expect(files.filter((file) => layerOf(file) === -1)).toEqual([])
    expect(files.filter((file) => textOf(file).trimEnd().split('\n').length > 300)).toEqual([])
    expect(files.filter((file) => /\b(utils?|helpers?|types?)\.ts$|[^a-z0-9/.-]/.test(file))).toEqual([])
  })

  it('is read from every form of import', () => {
    const text = [
      ['import { a,\n b } from "./b.ts"', "export * from '../c.ts'", "import 'd'"],
      ["type E = typeof import('e')"],
      ["export type F = 1\nimport type {\n G\n} from 'g'", "import { type H } from 'h'", "await import('i')"],
    ].flat().join('\n') // prettier-ignore
    const found = importsOf('core/x/a.ts', text).map(({ to, isType }) => (isType ? `type ${to}` : to))
    expect(found).toEqual(['core/x/b.ts', 'core/c.ts', 'd', 'type g', 'h', 'type e', 'i'])
    expect(imports.map(show)).toContain('core/crypto/native.ts imports type node:crypto')
  })
})

function importsOf(from: string, text: string): Import[] {
  // Without `import type` an import of types alone stays in the output, emptied (verbatimModuleSyntax).
  const statements = text.matchAll(
    /^(?:import|export)\s+(type\s+)?(?:[\w\s{},*$]+\sfrom\s+)?['"]([^'"]+)['"]/gm,
  )
  const expressions = text.matchAll(/(typeof\s+)?\bimport\(['"]([^'"]+)['"]\)/g)
  return [...statements, ...expressions].map(([, type, to]) => ({
    from,
    to: to!.startsWith('.') ? new URL(to!, `file:///${from}`).pathname.slice(1) : to!,
    isType: type !== undefined,
  }))
}

/** The source without its comments, which show users' code. */
function codeOf(file: string): string {
  return textOf(file).replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
}
