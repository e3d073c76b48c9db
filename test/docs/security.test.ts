import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checkOptions } from '../../src/core/options.ts'
import { documents } from './documents.ts'
import { titlesIn } from './titles.ts'

const guide = readFileSync('docs/security.md', 'utf8')
const NUMBERS = Array.from({ length: 69 }, (_, index) => `S${index + 1}`)
const NOT_OURS = /^not the library's to settle: \S/

/** A requirement, and the tests that show it, or why none can. */
interface Row {
  id: string
  requirement: string
  tests: { file: string; title: string }[]
  /** What stands there instead of tests, or is no test and no reason. */
  rest: string
}

describe('docs/security.md', () => {
  it('shows each of the 69 requirements by tests that exist, or says why it is not the library’s to settle', () => {
    const rows = rowsOf(guide)
    expect(faultsOf(rows, titlesOf)).toEqual([])
    const notOurs = rows.filter(({ rest }) => NOT_OURS.test(rest)).length
    console.log(
      `${rows.length} of ${NUMBERS.length} rows: ${rows.length - notOurs} shown by a test, ${notOurs} not the library's to settle`,
    )
  })

  it('would not pass with a row that is missing, empty, or shown by a test that does not exist', () => {
    const titles = (file: string) =>
      file === 'test/a.test.ts' ? ['S1: is there', 'S4: is there, %s'] : undefined
    const table = (...cells: string[]) =>
      cells.map((cell, index) => `| ${NUMBERS[index]} | It is so. | CS | ${cell} |`).join('\n')
    const sound = NUMBERS.map(() => '[a](../test/a.test.ts) `S1: is there`, `S4: is there, %s`')
    const faults = (...cells: string[]) =>
      faultsOf(rowsOf(table(...cells, ...sound.slice(cells.length))), titles)
    expect(faults()).toEqual([])
    expect(faults("not the library's to settle: it has no servers")).toEqual([])
    expect(faults('[a](../test/a.test.ts) `S1: is the`')).toEqual(["S1: test/a.test.ts has no 'S1: is the'"])
    expect(faults('[a](../test/b.test.ts) `S1: is there`')).toEqual(['S1: no test/b.test.ts'])
    expect(faults('', "not the library's to settle: ")).toEqual(['S1: no test', 'S2: no test'])
    expect(faults('[a](../test/a.test.ts)', '`S1: is there`')).toEqual(['S1: no test', 'S2: no test'])
    expect(faults('soon', '[a](../test/a.test.ts) `S1: is there` (mostly)')).toEqual([
      'S1: no test',
      'S2: neither a test nor a reason: (mostly)',
    ])
    const [first, ...others] = rowsOf(table(...sound))
    expect(faultsOf(others, titles)).toEqual(['expected the rows S1 to S69, in order'])
    expect(faultsOf([...others, first!], titles)).toEqual(['expected the rows S1 to S69, in order'])
    expect(faultsOf([{ ...first!, requirement: ' ' }, ...others], titles)).toEqual(['S1: no requirement'])
  })

  it('finds the titles of tests as they are, and nothing else', () => {
    const source = `
      // it('a comment')
      describe('a group', () => {
        it('plain', () => {})
        it.each<[string, () => void]>([['a, b', () => run('no test')]])(
          'each: %s', (_, act: () => void) => it,
        )
        for (const each of []) it(each, () => {})
        describe.each([])('a group of %s', () => it.concurrent("it's there", async () => {}))
      })
      describeAttacks('Who tries', [{ title: 'an attack', without: [{ defence: 'it' }] }])
      const text = "it('no test', () => {})"`
    expect(titlesIn(source)).toEqual(['plain', 'each: %s', "it's there", 'an attack'])
  })

  it('S59: states the defaults as the code has them', () => {
    const { idleTimeout, absoluteTimeout, cookie } = checkOptions({})
    expect(defaultsRow('idleTimeout')[0]).toBe(idleTimeout)
    expect(defaultsRow('absoluteTimeout')[0]).toBe(absoluteTimeout)
    const said = /- \*\*The cookie\*\* .*: (Secure), `(__Host-)`, (HttpOnly), (SameSite)\./.exec(guide)
    expect(said).not.toBeNull()
    expect(cookie).toMatchObject({ name: '__Host-session', secure: true, httpOnly: true, sameSite: 'lax' })
    expect(guide).toContain('**Sessions at the same time are allowed**')
  })

  it('S59: the timeouts that it gives for each level are taken, and are no longer than NIST asks', () => {
    const given = [...guide.matchAll(/`idleTimeout: ([\d_]+), absoluteTimeout: ([\d_]+)` for AAL(\d)/g)]
    expect(given.map(([, , , level]) => level)).toEqual(['2', '3'])
    for (const [, idle, absolute, level] of given) {
      const timeouts = { idleTimeout: numberOf(idle!), absoluteTimeout: numberOf(absolute!) }
      expect(checkOptions(timeouts)).toMatchObject(timeouts)
      for (const name of ['idleTimeout', 'absoluteTimeout'] as const) {
        expect(timeouts[name]).toBeLessThanOrEqual(defaultsRow(name)[Number(level)]!)
      }
    }
    // NIST SP 800-63B-4 §2.1.3, §2.2.3, §2.3.3
    expect(defaultsRow('idleTimeout').slice(1)).toEqual([NaN, 3600, 900])
    expect(defaultsRow('absoluteTimeout').slice(1)).toEqual([2_592_000, 86_400, 43_200])
  })

  it('S59: leads to a recipe against CSRF for Hono and Koa', () => {
    expect(guide).toContain('](csrf.md)')
    const recipe = readFileSync('docs/csrf.md', 'utf8')
    for (const framework of ['Hono', 'Koa']) expect(recipe).toContain(framework)
    expect(recipe).toContain('```ts')
  })

  it('S69: what a failover may undo is said where a store is chosen, and where it is promised that ended stays ended', () => {
    const promise = /^- \*\*Ended stays ended\.\*\*.*$/m.exec(readFileSync('README.md', 'utf8'))![0]
    const chosen = readFileSync('docs/redis.md', 'utf8').split('\n## ')[1]!
    for (const text of [promise, chosen, guide]) expect(text).toContain('#what-a-failover-may-undo')
  })

  it('S60: every memcached that the documents start is on loopback or a private network, with UDP off', () => {
    const read = documents.map((file) => readFileSync(file, 'utf8'))
    const commands = [...read.join('\n').matchAll(/```(?:sh|ini)\n(.*?)```/gs)]
      .flatMap(([, block]) => block!.replaceAll('\\\n', ' ').split('\n'))
      .filter((line) => /(^|[ /])memcached -/.test(line))
    expect(commands.length).toBeGreaterThanOrEqual(4)
    for (const command of commands) {
      expect(command).toMatch(/ -l (127\.0\.0\.1|10(\.\d+){3}) /)
      expect(command).toMatch(/ -U 0( |$)/)
      // An instance of its own: the object cache keeps the port that it has.
      expect(command).toContain(' -p 11200 ')
      if (!command.includes(' -l 127.')) expect(command).toMatch(/ -S .*-Z /)
    }
  })
})

/** The rows of every table whose first cell is a number of ours. */
function rowsOf(text: string): Row[] {
  return [...text.matchAll(/^\| (S\d+) \| ?(.*?) \|(.*?)\| ?(.*) \|$/gm)].map(
    ([, id, requirement, , shownBy]) => {
      const tests: Row['tests'] = []
      const rest = shownBy!.replaceAll(/\[[^\]]+\]\(\.\.\/([^)]+)\)((?:,? `[^`]+`)+)/g, (_, file, titles) => {
        for (const [, title] of titles.matchAll(/`([^`]+)`/g)) tests.push({ file, title })
        return ''
      })
      return { id: id!, requirement: requirement!, tests, rest: rest.replaceAll('<br>', '').trim() }
    },
  )
}

/** What is wrong with the rows; `titles` gives those of a file, or nothing where there is no such file. */
function faultsOf(rows: Row[], titles: (file: string) => string[] | undefined): string[] {
  if (rows.map(({ id }) => id).join() !== NUMBERS.join()) return ['expected the rows S1 to S69, in order']
  return rows.flatMap(({ id, requirement, tests, rest }) => {
    if (requirement.trim() === '') return `${id}: no requirement`
    if (tests.length === 0) return NOT_OURS.test(rest) ? [] : `${id}: no test`
    const missing = tests.flatMap(({ file, title }) => {
      const found = titles(file)
      if (!found) return `no ${file}`
      return found.includes(title) ? [] : `${file} has no '${title}'`
    })
    if (rest !== '') missing.push(`neither a test nor a reason: ${rest}`)
    return missing.map((fault) => `${id}: ${fault}`)
  })
}

/** Many rows name the same file. */
const read = new Map<string, string[]>()

function titlesOf(file: string): string[] | undefined {
  if (!read.has(file) && existsSync(file)) read.set(file, titlesIn(readFileSync(file, 'utf8')))
  return read.get(file)
}

/** The figures of a row of the table of defaults: ours, then NIST's for AAL1 to 3; NaN where there is none. */
function defaultsRow(option: string): number[] {
  const [, row = ''] = new RegExp(`^\\| \`${option}\` \\|(.*)\\|$`, 'm').exec(guide) ?? []
  return row.split('|').map((cell) => numberOf(/\d[\d ]*/.exec(cell)?.[0] ?? 'none'))
}

function numberOf(text: string): number {
  return Number(text.replaceAll(/[ _]/g, ''))
}
