import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startMemcached } from '../support/memcached.ts'
import { documents } from './documents.ts'

/** A block of one of these is a file, as it stands. */
const LANGUAGES_OF_FILES = ['ts', 'tsx', 'js', 'cjs', 'svelte', 'yaml', 'dockerfile']

/**
 * Every other block, by its first line, and the test that deals with it. Some are not run whole: the tables
 * of bench/scaling/ take a minute, so only their titles are compared, and `npm ci && npm test` is what runs this.
 */
const TRIED_IN: Record<string, Record<string, string>> = {
  'README.md': {
    'npm init -y && npm pkg set type=module': 'test/package.test.ts',
    'npm ci && npm start    # the demo, on http://localhost:3000, with no services': 'test/package.test.ts',
    'openssl rand -base64 32 ': 'test/docs/readme.test.ts',
  },
  'CONTRIBUTING.md': {
    'src/core/                   no node: but in stores/memcached/, no framework': 'test/docs/code.test.ts',
    'npm ci && npm test         # everything on Node, and the library itself on Bun':
      'test/docs/code.test.ts',
  },
  'docs/bundling.md': {
    'npx esbuild server.ts --bundle --platform=node --format=esm': 'test/hosts/bundling.test.ts',
    'npx esbuild server.ts --bundle --platform=node --format=cjs': 'test/hosts/bundling.test.ts',
    'npx rollup --config': 'test/hosts/bundling.test.ts',
    'npx vite build': 'test/hosts/bundling.test.ts',
  },
  'docs/events.md': {
    "holdfast: the store's server 10.0.0.1:11200 is down": 'test/core/warnings.test.ts',
    '{"time":"2026-11-24T15:02:03.004Z",': 'test/recipes/events.test.ts',
  },
  'docs/memcached.md': {
    'memcached -l 127.0.0.1 -p 11200 -m 256 -U 0': 'test/docs/memcached.test.ts',
    '# /etc/systemd/system/memcached-sessions.service': 'test/docs/memcached.test.ts',
    'systemctl enable --now memcached-sessions': 'test/docs/memcached.test.ts',
    '#!/bin/sh\n# Restarts the memcached': 'test/docs/memcached.test.ts',
    '/usr/share/memcached/scripts/memcached-tool 127.0.0.1:11200 stats | grep -w evictions':
      'test/docs/memcached.test.ts',
    'openssl req -x509 -config /dev/null': 'test/docs/memcached.test.ts',
    'cat > /etc/memcached-sessions/memcached.conf <<END': 'test/docs/memcached.test.ts',
    'SASL_CONF_PATH=/etc/memcached-sessions memcached': 'test/docs/memcached.test.ts',
    'npx holdfast doctor memcached://127.0.0.1:11200': 'test/docs/memcached.test.ts',
    'ok       127.0.0.1:11200  was started cold': 'test/docs/memcached.test.ts',
    'unfit    127.0.0.1:11211  keeps no versions (-C)': 'test/docs/memcached.test.ts',
    'npx holdfast doctor "$SESSION_STORE" || exit': 'test/docs/memcached.test.ts',
  },
  'docs/redis.md': {
    '# /etc/redis/sessions.conf': 'test/docs/redis.test.ts',
    'redis-server /etc/redis/sessions.conf': 'test/docs/redis.test.ts',
    'port 0': 'test/docs/redis.test.ts',
    'npx holdfast doctor redis://sessions': 'test/doctor/cli.test.ts',
    'warning  127.0.0.1:6379  uses': 'test/docs/redis.test.ts',
  },
  'docs/running.md': {
    '(umask 077; openssl rand -base64 32 > session-secret)': 'test/recipes/running-files.test.ts',
    'kubectl create secret generic session-secret': 'test/recipes/running-files.test.ts',
    'map $http_upgrade $connection_upgrade {': 'test/recipes/running.test.ts',
  },
  'docs/scaling.md': {
    'npx tsx bench/scaling/scaling.ts': 'test/docs/code.test.ts',
    'npx tsx bench/scaling/users.ts': 'test/docs/code.test.ts',
    "printf 'cache_memlimit 4096\\r\\nquit\\r\\n' | nc sessions-1.internal 11200": 'test/docs/code.test.ts',
  },
  'docs/security.md': { 'memcached -l 127.0.0.1 -p 11200 -m 256 -U 0': 'test/docs/memcached.test.ts' },
}

/** Of the README, which has it from the page of Express. */
const SHOWN_TWICE = 'test/recipes/express/express.ts'

/** Pages of hosts whose builds find a module by its name without an ending, as their own documents write it. */
const WITHOUT_ENDINGS = new Set(['next', 'sveltekit'])

/** A page about a store of examples/, which test/docs/stores.test.ts deals with. */
const SHOWN_IN_PART = 'test/docs/stores'

/** But the reference: what it shows are signatures, and the examples of docstrings. */
const guides = documents.filter((name) => !name.startsWith('docs/reference/'))

describe('the code in README and guides', () => {
  const blocks = guides.flatMap((document) =>
    [...readFileSync(document, 'utf8').matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(
      ([, language, code]) => [document, language!, code!] as const,
    ),
  )

  it('is found', () => {
    expect(blocks.length).toBeGreaterThan(40)
    const languages = new Set(blocks.map(([, language]) => language))
    expect(languages).toEqual(new Set([...LANGUAGES_OF_FILES, 'sh', 'text', 'ini', 'nginx']))
  })

  it('that is a program or a configuration is a file of the tests or examples, as it stands', () => {
    const sources = new Set(
      ['test', 'examples'].flatMap((folder) =>
        filesIn(folder).map((name) => readFileSync(`${folder}/${name}`, 'utf8')),
      ),
    )
    for (const [document, language, code] of blocks) {
      if (!LANGUAGES_OF_FILES.includes(language)) continue
      expect(sources.has(code), `${document}: ${code.slice(0, 200)}`).toBe(true)
    }
  })

  it.each(['test/recipes', 'test/docs'].flatMap(foldersIn).filter((folder) => folder !== SHOWN_IN_PART))(
    'of %s stands on its page, all of it, and imports nothing that a reader has not',
    (folder) => {
      const page = basename(folder)
      const places = page === 'readme' ? ['README.md'] : [`docs/${page}.md`, `docs/frameworks/${page}.md`]
      const guide = places.find((path) => existsSync(path))
      const shown = blocks
        .filter(([document, language]) => document === guide && LANGUAGES_OF_FILES.includes(language))
        .map(([, , code]) => code)
      const files = filesIn(folder)
      const sources = files.map((name) => readFileSync(join(folder, name), 'utf8'))
      const others = page === 'readme' ? [readFileSync(SHOWN_TWICE, 'utf8')] : []
      expect(shown.toSorted()).toEqual([...sources, ...others].toSorted())
      for (const [index, code] of sources.entries()) {
        for (const [, path] of code.matchAll(/(?:from|import) '(\.[^']*)'/g)) {
          // What SvelteKit makes of a route's types.
          if (path === './$types') continue
          const imported = join(dirname(files[index]!), path!)
          const endings = WITHOUT_ENDINGS.has(page) ? ['', '.ts'] : ['']
          expect(
            endings.filter((ending) => files.includes(imported + ending)),
            path,
          ).toHaveLength(1)
        }
      }
    },
  )

  it('in other languages is listed here, with the test that deals with it', () => {
    for (const document of documents) {
      const shown = blocks.filter(
        ([file, language]) => file === document && !LANGUAGES_OF_FILES.includes(language),
      )
      const known = Object.entries(TRIED_IN[document] ?? {})
      expect(shown.length, document).toBe(known.length)
      for (const [index, [start, test]] of known.entries()) {
        expect(shown[index]![2].startsWith(start), `${document}: ${shown[index]![2]}`).toBe(true)
        expect(existsSync(test), test).toBe(true)
      }
    }
  })

  it('that docs/memcached.md has tried is the same wherever else it stands', () => {
    const tried = blocks.filter(([document]) => document === 'docs/memcached.md').map(([, , code]) => code)
    for (const [document, , code] of blocks) {
      const listed = Object.entries(TRIED_IN[document] ?? {}).find(([start]) => code.startsWith(start))
      if (listed?.[1] === 'test/docs/memcached.test.ts') expect(tried, document).toContain(code)
    }
  })

  const contributing = blocks.filter(([document]) => document === 'CONTRIBUTING.md')

  it('of CONTRIBUTING runs scripts and tests that exist', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
    const [, , commands] = contributing.find(([, language]) => language === 'sh')!
    const named = [...commands.matchAll(/^(?:npm ci && )?npm (?:run )?(\S+)/gm)].map(([, name]) => name!)
    expect(named).toEqual(['test', 'test:redis', 'test:runtimes', 'test:package', 'fuzz', 'soak'])
    for (const name of named) expect(scripts).toHaveProperty([name])
    expect(existsSync(/vitest run (\S+)/.exec(commands)![1]!)).toBe(true)
  })

  it('of CONTRIBUTING names every file of the core, and none that is not there', () => {
    const [, , map] = contributing.find(([, language]) => language === 'text')!
    const path: string[] = []
    const named = [...map.matchAll(/^( *)(\S+)/gm)].map(([, indent, name]) => {
      path.splice(indent!.length / 2, Infinity, name!)
      return path.join('')
    })
    const present = readdirSync('src/core', { recursive: true, encoding: 'utf8' }).map((name) =>
      name.endsWith('.ts') ? `src/core/${name}` : `src/core/${name}/`,
    )
    expect(named.filter((name) => name.startsWith('src/core/') && name !== 'src/core/').toSorted()).toEqual(
      present.toSorted(),
    )
    for (const [name] of map.matchAll(/^\S+/gm)) expect(existsSync(name), name).toBe(true)
  })

  it('of the guide to scaling prints the tables that the guide shows', () => {
    const guide = readFileSync('docs/scaling.md', 'utf8')
    const scripts = [...guide.matchAll(/^```sh\nnpx tsx (\S+)\n```$/gm)].map(([, script]) => script!)
    expect(scripts).toHaveLength(2)
    const titles = (file: string, pattern: RegExp) =>
      [...readFileSync(file, 'utf8').matchAll(pattern)].map(([, title]) => title)
    const printed = scripts.flatMap((script) =>
      titles(script, /['`](.+ \((?:simulated|measured|computed)\))['`]/g),
    )
    expect(printed.length).toBeGreaterThan(7)
    expect(titles('docs/scaling.md', /^\*\*(.+ \((?:simulated|measured|computed)\))\*\*$/gm)).toEqual(
      expect.arrayContaining(printed.map((title) => title!.replaceAll('\\`', '`'))),
    )
  })

  it('gives a memcached more memory while it runs', async () => {
    const [said] = /(?<=printf ').*(?=\\r\\nquit)/.exec(readFileSync('docs/scaling.md', 'utf8'))!
    const server = await startMemcached()
    try {
      expect(await server.text(said)).toContain('OK')
      expect(await server.text('stats')).toContain(`STAT limit_maxbytes ${4096 * 2 ** 20}`)
    } finally {
      await server.stop()
    }
  })
})

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => LANGUAGES_OF_FILES.some((language) => isIn(language, name)) && !name.includes('node_modules'),
  )
}

function foldersIn(parent: string): string[] {
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
    .map(({ name }) => `${parent}/${name}`)
}

/** `Dockerfile` has no ending. */
function isIn(language: string, name: string): boolean {
  return name.endsWith(`.${language}`) || basename(name).toLowerCase() === language
}
