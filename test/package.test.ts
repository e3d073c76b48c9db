import { readdirSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { declareModules, DOCUMENTS, install, pack, say, temporaryFolder } from './package/project.ts'
import type { Packed } from './package/project.ts'
import { guides } from './docs/documents.ts'
import { visitThrice } from './package/served.ts'

const description = JSON.parse(readFileSync('package.json', 'utf8'))
const entries = Object.keys(description.exports)
  .filter((entry) => entry !== './package.json')
  .map((entry) => `holdfast${entry.slice(1)}`)

const judges = resolve('test/package/node_modules')
// Node 20 itself runs no TypeScript.
const node22 = resolve('test/runtimes/node_modules/node22/bin/node')
const bun = resolve('test/runtimes/node_modules/.bin/bun')
const tsc = resolve('node_modules/.bin/tsc')
const tsc5 = join(judges, 'typescript5/bin/tsc')
/** Made when it is packed (tools/llms.mjs). */
const READ_BY_TOOLS = ['llms.txt', 'llms-full.txt']
/** An exit status, which `say` puts in front. */
const FAILURE = /^\d+: /

describe('the package', { timeout: 120_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let packed: Packed
  /** With nothing but holdfast installed. */
  let alone: string
  /** With Hono, Koa and the types of Node, in the versions that are tested here. */
  let framed: string
  beforeAll(async () => {
    folder = await temporaryFolder()
    packed = await pack(folder.path)
    alone = await install(
      join(folder.path, 'alone'),
      packed.tarball,
      [],
      ['test/package/consumer/alone.ts', 'test/package/consumer/in-javascript.mjs'],
    )
    framed = await install(
      join(folder.path, 'framed'),
      packed.tarball,
      ['hono', '@hono/node-server', 'koa', '@types/koa', '@types/node'],
      [
        ...['alone', 'frameworks'].map((name) => `test/package/consumer/${name}.ts`),
        ...readdirSync('test/docs/readme').map((name) => `test/docs/readme/${name}`),
      ],
    )
  }, 120_000)
  afterAll(() => folder?.remove())

  it('holds the built sources, the declarations that compilers read, the guides, and nothing else', async () => {
    const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    )
    const built = sources.map((file) => `dist/${file.slice(0, -3)}.js`)
    const importing = join(framed, 'every-entry.ts')
    await writeFile(importing, entries.map((entry) => `import '${entry}'`).join('\n'))
    const asked = ['--listFilesOnly', '--module', 'nodenext', '--skipLibCheck', importing]
    const read = await say(process.execPath, [tsc, ...asked], framed)
    await rm(importing)
    const declared = [...read.matchAll(/\/node_modules\/holdfast\/(dist\/\S+\.d\.ts)$/gm)].map(
      ([, file]) => file!,
    )
    expect(declared.length).toBeGreaterThan(20)
    const expected = [...DOCUMENTS, ...guides, ...READ_BY_TOOLS, 'package.json', ...built, ...declared]
    expect(packed.files.toSorted()).toEqual(expected.toSorted())
  })

  // Comments stand where editors read them, in the declarations; the code in dist/ is the sources less them and types.
  it('is small', () => {
    const written = [...guides, ...READ_BY_TOOLS.map((file) => join(alone, 'node_modules/holdfast', file))]
    const told = written.reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0)
    console.log(
      `the package: ${(packed.size / 1000).toFixed(0)} kB packed (guides ${(told / 1000).toFixed(0)}), ${(packed.unpackedSize / 1000).toFixed(0)} kB unpacked, ${packed.files.length} files`,
    )
    expect(packed.size - told).toBeLessThan(120_000)
  })

  it('has what its documents link to, but for what is in a checkout alone', () => {
    for (const file of packed.files.filter((name) => name.endsWith('.md'))) {
      for (const [, path] of readFileSync(file, 'utf8').matchAll(/\]\(([^)#\s:]+)(?:#[^)]*)?\)/g)) {
        const target = join(file, '..', path!)
        if (file !== 'README.md' && /^(test|src|examples)\/|^compose\.yaml$/.test(target)) continue
        expect(packed.files, `${file}: ${path}`).toContain(target)
      }
    }
  })

  describe('for tools that read', () => {
    const read = (file: string) => readFileSync(join(alone, 'node_modules/holdfast', file), 'utf8')

    it('llms.txt links to every guide, to nothing that is not in the package, and says of each what README says', () => {
      const [title, blurb] = readFileSync('README.md', 'utf8').split('\n\n')
      const text = read('llms.txt')
      expect(text.startsWith(`${title}\n\n> ${blurb}\n\n## Guides\n\n`)).toBe(true)
      const links = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => path!)
      for (const path of links) expect(packed.files).toContain(path)
      expect(links).toEqual([...new Set(links)])
      expect(links).toEqual(expect.arrayContaining(guides))
      expect(text).toContain('](docs/csrf.md): requests that another site sends\n')
      expect(text).toContain('](docs/cookies.md): how the cookie is read\n')
      expect(text).toContain('](docs/reference/holdfast/hono.md)\n')
      // As llmstxt.org has it: headings, and lists of links.
      const [, ...sections] = text.split('\n## ')
      for (const section of sections)
        expect(section).toMatch(/^[A-Z][a-z]+\n\n(- \[[^\]]+\]\([^)]+\)(: .+)?\n)+$/)
    })

    it('llms-full.txt has every guide, whole', () => {
      const text = read('llms-full.txt')
      for (const file of ['README.md', ...guides]) {
        const page = `<!-- ${file} -->\n\n${readFileSync(file, 'utf8')}`
        expect(text.includes(page), file).toBe(true)
      }
    })
  })

  it('takes at most 4 kB, minified and gzipped, for RedisStore beside what `holdfast` has loaded', async () => {
    const core = await sizeOf(alone, 'core/index.js')
    const both = await sizeOf(alone, 'core/index.js', 'core/stores/redis/redis-store.js')
    const byItself = await sizeOf(alone, 'core/stores/redis/redis-store.js')
    console.log(`holdfast/redis: ${both - core} bytes beside holdfast, ${byItself} alone`)
    expect(both - core).toBeLessThan(4096)
  })

  it('is ESM without side effects, and gives each entry its types first', () => {
    expect(description).toMatchObject({ type: 'module', sideEffects: false, engines: { node: '>=20.19' } })
    for (const [entry, target] of Object.entries(description.exports)) {
      if (entry !== './package.json') expect(Object.keys(target as object)).toEqual(['types', 'default'])
    }
    expect(Object.keys(description.dependencies)).toEqual(['memjs'])
  })

  it('pleases publint', async () => {
    const said = await say(join(judges, '.bin/publint'), ['run', '--strict', packed.tarball])
    expect(said).not.toMatch(FAILURE)
    expect(said).toMatch(/All good!$/)
  })

  it('pleases attw', async () => {
    // The profile: that CommonJS cannot require it is meant. The format: else the terminal decides.
    const options = ['--profile', 'esm-only', '--format', 'ascii']
    const said = await say(join(judges, '.bin/attw'), [...options, packed.tarball])
    expect(said).not.toMatch(FAILURE)
    for (const entry of entries) expect(said).toContain(`"${entry}"\n`)
  })

  describe('installed alone', () => {
    it('brings memjs and nothing else', () => {
      const installed = readdirSync(join(alone, 'node_modules')).filter((name) => !name.startsWith('.'))
      expect(installed).toEqual(['holdfast', 'memjs'])
    })

    it.each([
      ['Node', process.execPath],
      ['Bun', bun],
    ])('loads every entry, frameworks or not, on %s', async (_, runtime) => {
      const code = `const entries = await Promise.all(${JSON.stringify(entries)}.map((entry) => import(entry)))
        console.log(entries.every((entry) => Object.keys(entry).length > 0 && !('default' in entry)))`
      await writeFile(join(alone, 'entries.mjs'), code)
      expect(await say(runtime, ['entries.mjs'], alone)).toBe('true')
    })

    it.each([
      ['Node', process.execPath],
      ['Bun', bun],
    ])('is used from JavaScript on %s', async (_, runtime) => {
      expect(JSON.parse(await say(runtime, ['in-javascript.mjs'], alone))).toEqual({
        answers: [
          ['u1', 1],
          ['u1', 2],
        ],
        refusal: 'ERR_SESSION_NOT_SERIALIZABLE',
      })
    })

    it('has a command line', async () => {
      const said = await say(join(alone, 'node_modules/.bin/holdfast'), [])
      expect(said).toMatch(/^2: .*holdfast doctor/s)
    })
  })

  describe('the programs of the README, pasted', () => {
    it.each([
      ['hono.ts', 'Node 22', node22, 'view 3 of nobody'],
      ['hono.ts', 'Bun', bun, 'view 3 of nobody'],
      ['koa.ts', 'Node 22', node22, 'view 3'],
      ['koa.ts', 'Bun', bun, 'view 3'],
      ['fetch.ts', 'Bun', bun, 'view 3'],
    ])('%s counts views on %s', async (program, _, runtime, third) => {
      const expected = [1, 2, 3].map((view) => third.replace('3', String(view)))
      expect(await visitThrice(framed, runtime, program)).toEqual(expected)
    })
  })

  it('the steps of the README lead from an empty folder to a first session', async () => {
    const steps = /^npm init .*?(?=^```)/ms.exec(readFileSync('README.md', 'utf8'))![0].trim().split('\n')
    expect(steps).toHaveLength(5)
    const [prepare, installed, paste, start, look] = steps as [string, string, string, string, string]
    const path = join(folder.path, 'empty')
    await mkdir(path)
    expect(await say('sh', ['-ec', prepare], path)).not.toMatch(FAILURE)
    const here = installed.replace(' holdfast ', ` '${packed.tarball}' `)
    expect(here).toContain(packed.tarball)
    expect(await say('sh', ['-ec', here], path)).not.toMatch(FAILURE)
    expect(paste).toBe('# paste the program above into app.ts')
    await copyFile('test/docs/readme/hono.ts', join(path, 'app.ts'))
    const [, onNode, onBun] = /^(npx tsx app\.ts) +# or: bun (app\.ts)$/.exec(start)!
    const [, first] = /# (.*), and a session cookie$/.exec(look)!
    for (const [command, ...args] of [onNode!.split(' '), [bun, onBun!]]) {
      expect((await visitThrice(path, command!, ...args))[0]).toBe(first)
    }
  })

  it('stands beside Koa 2, whose types it takes as well', async () => {
    const path = join(folder.path, 'koa-2')
    await install(
      path,
      packed.tarball,
      ['koa@2.16.4', '@types/koa@2.15.0', '@types/node'],
      ['test/docs/readme/koa.ts'],
    )
    await declareModules(path)
    expect(
      await complaints(tsc, path, ['koa.ts'], { resolution: 'nodenext', isDom: true, isExact: true }, 'node'),
    ).toEqual([])
    expect(await visitThrice(path, node22, 'koa.ts')).toEqual(['view 1', 'view 2', 'view 3'])
  })

  it('a checkout serves the demo, as the README says', async () => {
    expect(readFileSync('README.md', 'utf8')).toMatch(/^npm ci && npm start /m)
    // Here, and not beside other tests: it builds dist/ anew.
    const [page] = await visitThrice('.', 'npm', 'start')
    expect(page).toContain('<title>')
  })

  // skipLibCheck is off: the declarations themselves are compiled, too.
  describe('its types', () => {
    const everything = [...readdirSync('test/docs/readme'), 'alone.ts', 'frameworks.ts', 'entries.ts']
    const settings: [title: string, setting: Setting][] = [
      ['node16, DOM', { resolution: 'node16', isDom: true, isExact: true }],
      ['node16, no DOM', { resolution: 'node16', isDom: false, isExact: false }],
      ['nodenext, DOM', { resolution: 'nodenext', isDom: true, isExact: false }],
      ['nodenext, no DOM', { resolution: 'nodenext', isDom: false, isExact: true }],
      ['bundler, DOM', { resolution: 'bundler', isDom: true, isExact: true }],
      ['bundler, no DOM', { resolution: 'bundler', isDom: false, isExact: false }],
    ]
    beforeAll(async () => {
      const code = entries.map((entry, index) => `export * as entry${index} from '${entry}'`).join('\n')
      await writeFile(join(framed, 'entries.ts'), code)
      await declareModules(alone)
      await declareModules(framed)
    })

    it.each(settings)('compile with frameworks: %s', async (_, setting) => {
      expect(await complaints(tsc, framed, everything, setting, 'node')).toEqual([])
    })

    it.each(settings.filter(([, { isDom }]) => isDom))(
      'compile with nothing else installed: %s',
      async (_, setting) => {
        expect(await complaints(tsc, alone, ['alone.ts'], setting)).toEqual([])
      },
    )

    it.each(settings.slice(3, 4))('compile with TypeScript 5.9: %s', async (_, setting) => {
      expect(await say(process.execPath, [tsc5, '--version'])).toBe('Version 5.9.3')
      expect(await complaints(tsc5, framed, everything, setting, 'node')).toEqual([])
    })

    it('are there: a mistake is found', async () => {
      await writeFile(join(alone, 'mistake.ts'), "import { createSessionManager } from 'holdfast'\ncreateSessionManager({ ttl: 60 })\n")
      const [complaint, ...others] = await complaints(tsc, alone, ['mistake.ts'], settings[4]![1])
      expect(complaint).toContain("'ttl' does not exist")
      expect(others).toEqual([])
    }) // prettier-ignore
  })
})

interface Setting {
  resolution: 'node16' | 'nodenext' | 'bundler'
  isDom: boolean
  /** `exactOptionalPropertyTypes`. */
  isExact: boolean
}

/** What the compiler says of the files and of holdfast; that Hono's own declarations need the DOM is Hono's. */
async function complaints(
  compiler: string,
  folder: string,
  files: readonly string[],
  { resolution, isDom, isExact }: Setting,
  types: string = '',
): Promise<string[]> {
  const options = {
    noEmit: 'true',
    pretty: 'false',
    strict: 'true',
    skipLibCheck: 'false',
    target: 'es2022',
    module: resolution === 'bundler' ? 'esnext' : resolution,
    moduleResolution: resolution,
    lib: isDom ? 'es2022,dom,dom.iterable' : 'es2022',
    exactOptionalPropertyTypes: String(isExact),
    types,
  }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
  const said = await say(process.execPath, [compiler, ...args, ...files], folder)
  const lines = said.split('\n').map((line) => line.replace(FAILURE, ''))
  return lines.filter((line) => /error TS/.test(line) && !/^node_modules\/(?!holdfast\/)/.test(line))
}

/** What modules of the installed package come to in one bundle, minified and gzipped, in bytes. */
async function sizeOf(folder: string, ...modules: string[]): Promise<number> {
  const contents = modules.map((module) => `export * from './dist/${module}'`).join('\n')
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(folder, 'node_modules/holdfast') },
    ...({
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      write: false,
    } as const),
  })
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length
}
