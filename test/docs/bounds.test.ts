import { readdirSync, readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'

const GUIDE = 'docs/bounds.md'

/** A constant, or an option's default. */
interface Bound {
  name: string
  file: string
  value: number
}

describe(GUIDE, () => {
  const sources = new Map(
    readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.startsWith('testing/'))
      .map((file) => [file, readFileSync(`src/${file}`, 'utf8')]),
  )
  const rows = rowsOf(readFileSync(GUIDE, 'utf8'))
  const constants = constantsOf(sources)

  it('has every constant of src/ that is a number, with its value', () => {
    expect(constants.length).toBeGreaterThan(40)
    expect(faultsOf(rows.filter(isConstant), constants)).toEqual([])
  })

  it('has the defaults of options as they are', () => {
    const defaults = rows.filter((row) => !isConstant(row))
    expect(defaults.length).toBeGreaterThan(5)
    for (const { name, file, value } of defaults) {
      const source = (sources.get(file) ?? '').replaceAll(/(?<=\d)_(?=\d)/g, '')
      expect(source, `${GUIDE}: ${name} is not ${value} in src/${file}`).toMatch(
        new RegExp(`\\b${name}(' *,| *=) *${value}\\b`),
      )
    }
  })

  it('says of every bound why it is what it is', () => {
    expect(rows.length).toBe(readFileSync(GUIDE, 'utf8').match(/^\| `/gm)!.length)
  })

  it('would not pass with a row that is missing, left over, doubled or wrong', () => {
    const row = { name: 'A_MS', file: 'a.ts', value: 5 }
    const found = [row]
    expect(faultsOf([row], found)).toEqual([])
    expect(faultsOf([], found)).toEqual([
      'src/a.ts: A_MS is 5 and has no row in docs/bounds.md; add: | `A_MS` | 5 | `a.ts` | why |',
    ])
    expect(faultsOf([row], [])).toEqual([
      'docs/bounds.md: no A_MS is in src/a.ts; remove its row, or mend the file',
    ])
    expect(faultsOf([row, row], found)).toEqual([
      'docs/bounds.md: A_MS of a.ts has 2 rows; remove all but one',
    ])
    expect(faultsOf([{ ...row, value: 6 }], found)).toEqual(['docs/bounds.md: A_MS of a.ts is 5, not 6'])
  })

  it('reads constants whatever they are made of', () => {
    const made = new Map([
      ['a.ts', "const A = 2 ** 10\nexport const B: number = A - KEEP\nconst C = 'text'\nconst D = 0x80_00"],
      [
        'b.ts',
        'export const KEEP = 1_000\nconst A = 1\nconst LIST = [1]\n  const INSIDE = 2\nlet E = 3\nconst f = 4',
      ],
    ])
    expect(constantsOf(made).map(({ name, value }) => [name, value])).toEqual([
      ['A', 1024],
      ['B', 24],
      ['D', 0x8000],
      ['KEEP', 1000],
      ['A', 1],
    ])
  })
})

const isConstant = ({ name }: Bound) => name === name.toUpperCase()

/** Rows that are complete: a name, a value that begins with a number, a file and a reason. */
function rowsOf(guide: string): Bound[] {
  return [...guide.matchAll(/^\| `(\w+)` \| ([\d. ]+?)(?: [a-z]+)? \| `([\w/.-]+)` \| \S.*\|$/gm)].map(
    ([, name, value, file]) => ({ name: name!, file: file!, value: Number(value!.replaceAll(' ', '')) }),
  )
}

/** Numbers alone, worked out where they are made of each other: a name is the file's own first. */
function constantsOf(sources: ReadonlyMap<string, string>): Bound[] {
  const written = [...sources].flatMap(([file, source]) =>
    [...source.matchAll(/^(?:export )?const ([A-Z][A-Z0-9_]*)(?:: number)? = ([-+*/ ().\w]+)$/gm)].map(
      ([, name, expression]) => ({ file, name: name!, expression: expression! }),
    ),
  )
  const valueOf = (file: string, expression: string): unknown => {
    const known: Record<string, unknown> = {}
    for (const [name] of expression.matchAll(/\b[A-Z][A-Z0-9_]*\b/g)) {
      const named = written.filter((each) => each.name === name)
      const meant = named.find((each) => each.file === file) ?? named[0]
      if (meant) known[name] = valueOf(meant.file, meant.expression)
    }
    try {
      return runInNewContext(expression, known)
    } catch {
      return undefined
    }
  }
  return written.flatMap(({ file, name, expression }) => {
    const value = valueOf(file, expression)
    return typeof value === 'number' ? [{ file, name, value }] : []
  })
}

/** What to add, remove or change. */
function faultsOf(rows: readonly Bound[], constants: readonly Bound[]): string[] {
  const isSame = (left: Bound) => (right: Bound) => left.name === right.name && left.file === right.file
  const missing = constants.flatMap((constant) => {
    const { name, file, value } = constant
    const [row, ...others] = rows.filter(isSame(constant))
    if (!row) {
      const line = `| \`${name}\` | ${value} | \`${file}\` | why |`
      return [`src/${file}: ${name} is ${value} and has no row in ${GUIDE}; add: ${line}`]
    }
    if (others.length > 0) {
      return [`${GUIDE}: ${name} of ${file} has ${others.length + 1} rows; remove all but one`]
    }
    return row.value === value ? [] : [`${GUIDE}: ${name} of ${file} is ${value}, not ${row.value}`]
  })
  const leftOver = rows
    .filter((row) => !constants.some(isSame(row)))
    .map(({ name, file }) => `${GUIDE}: no ${name} is in src/${file}; remove its row, or mend the file`)
  return [...missing, ...leftOver]
}
