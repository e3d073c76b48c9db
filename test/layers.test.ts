import { readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
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

// A room is a folder; these files of core/ stand in none. A file imports from its own room and from those before it in
// the list, from a row's other rooms only where the row says so.
const ROOMS = [
  ['core/errors', 'core/events', 'core/check', 'core/brand', 'core/old-habits', 'core/scratch'],
  ['core/crypto', 'core/stores'],
  ['core/record', 'core/http', 'core/stores/memcached', 'core/stores/redis'],
  ['core/draft'],
  ['core/session'],
  ['core/options', 'core/warnings'],
  ['core/manager'],
  ['core/mounting'],
  ['core/index'],
  ['adapters', 'doctor', 'testing'],
]
const roomOf = (file: string) => (/^core\/[\w-]+\.ts$/.test(file) ? file.replace('.ts', '') : dirname(file))
const layerOf = (file: string) => ROOMS.findIndex((rooms) => rooms.includes(roomOf(file)))
const isFile = (to: string) => files.includes(to)
const isIn = (file: string, ...rooms: string[]) => rooms.includes(roomOf(file))
const isCore = (file: string) => file.startsWith('core/')
/** What everything may import: the words that users meet, and how an argument is checked. */
const isCommon = (to: string) => isIn(to, ...ROOMS[0]!)

describe('architecture', () => {
  it.each<[string, (each: Import) => boolean]>([
    ['no import points to a higher layer', ({ from, to }) => isFile(to) && layerOf(to) > layerOf(from)],
    ['no import points to another room of its own layer', ({ from, to }) =>
      isFile(to) && !isCommon(to) && layerOf(to) === layerOf(from) && roomOf(to) !== roomOf(from)],
    ['core never imports from outside core', ({ from, to }) => isCore(from) && isFile(to) && !isCore(to)],
    ['an adapter imports the public core, its own parts and the types of its framework', ({ from, to, isType }) =>
      isIn(from, 'adapters') && to !== 'core/index.ts' && !to.startsWith(from.replace('.ts', '-')) &&
      !(isType && from === `adapters/${to.replace(/:.*/, '')}.ts`)],
    ['stores/ imports its own parts and what everything may', ({ from, to }) =>
      isIn(from, 'core/stores') && !isCommon(to) && !isIn(to, 'core/stores')],
    ['stores/memcached/ imports what stores share, its own parts, memjs and node:', ({ from, to }) =>
      isIn(from, 'core/stores/memcached') && !isCommon(to) && !isIn(to, 'core/stores', 'core/stores/memcached') &&
      !/^(memjs|node:\w+)$/.test(to)],
    ['stores/redis/ imports what stores share, its own parts and crypto/', ({ from, to }) =>
      isIn(from, 'core/stores/redis') && !isCommon(to) && !isIn(to, 'core/stores', 'core/stores/redis', 'core/crypto')],
    ['http/ imports crypto/ alone', ({ from, to }) =>
      isIn(from, 'core/http') && isFile(to) && !isCommon(to) && !isIn(to, 'core/http', 'core/crypto')],
    ['draft/ imports record/ alone, and never asks the store', ({ from, to }) =>
      isIn(from, 'core/draft') && isFile(to) && !isCommon(to) && !isIn(to, 'core/draft') && to !== 'core/record/record.ts'],
    ['session/ asks the store through record/ alone', ({ from, to }) =>
      isIn(from, 'core/session') && isIn(to, 'core/stores') && to !== 'core/stores/deadline.ts'],
    ['nothing in core imports stores/memcached/ or stores/redis/ but themselves', ({ from, to }) =>
      isCore(from) && isIn(to, 'core/stores/memcached', 'core/stores/redis') && roomOf(to) !== roomOf(from)],
    ['testing imports the public core and its own parts', ({ from, to }) =>
      isIn(from, 'testing') && to !== 'core/index.ts' && !isIn(to, 'testing')],
    ['only stores/memcached/ and doctor/ import packages or node: (crypto/: types)', ({ from, to, isType }) =>
      !isFile(to) && !isIn(from, 'core/stores/memcached', 'doctor', 'adapters') &&
      !(isType && isIn(from, 'core/crypto') && to === 'node:crypto')],
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

  it('only crypto/native.ts and warnings.ts reach for node: without an import, and node-shape.ts for the engine', () => {
    const reaching = files.filter((file) => /require\(|getBuiltinModule|process\s*\??\./.test(codeOf(file)))
    expect(reaching.filter((file) => !isIn(file, 'core/stores/memcached', 'doctor')).toSorted()).toEqual([
      'adapters/node-shape.ts',
      'core/crypto/native.ts',
      'core/warnings.ts',
    ])
  })

  it('a file is small, and stands in a room of at most twelve under a name of its own', () => {
    expect(files.filter((file) => layerOf(file) === -1)).toEqual([])
    expect(files.filter((file) => textOf(file).trimEnd().split('\n').length > 300)).toEqual([])
    const crowded = files
      .map(dirname)
      .filter((room, _, rooms) => rooms.filter((each) => each === room).length > 12)
    expect(crowded).toEqual([])
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
