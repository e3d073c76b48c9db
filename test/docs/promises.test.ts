import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { titlesIn } from './titles.ts'

/** What looks like a promise's number. */
const NUMBER = /\b[A-Z]\d{1,2}\b/g
/** Numbers of other kinds: the requirements of docs/security.md, and V8, the engine. */
const OF_OTHERS = /^(S\d+|V8)$/

const numbersIn = (text: string) => (text.match(NUMBER) ?? []).filter((number) => !OF_OTHERS.test(number))

describe('docs/promises.md', () => {
  const guide = readFileSync('docs/promises.md', 'utf8')
  const listed = [...guide.matchAll(/^\| ([A-Z]\d{1,2}) \| *\S/gm)].map(([, number]) => number!)
  const letters = new Map(
    [...guide.matchAll(/^## ([A-Z])\. (.+)$/gm)].map(([, letter, about]) => [letter!, about!]),
  )
  const titles = filesOf('test', /\.(test|check)\.ts$/).flatMap((file) =>
    titlesIn(readFileSync(file, 'utf8'), ['it', 'describe']).map((title) => ({ file, title })),
  )

  it('lists every number once, in order, under its letter and in the order of letters', () => {
    const expected = [...letters.keys()].flatMap((letter) => {
      const [, section] = guide.split(new RegExp(`^## ${letter}\\. .+$`, 'm'))
      const rows = [...section!.split(/^## /m)[0]!.matchAll(/^\| [A-Z](\d+)/gm)]
      const numbers = new Set(rows.map(([, number]) => Number(number)))
      return [...numbers].toSorted((one, other) => one - other).map((number) => `${letter}${number}`)
    })
    expect(listed).toEqual(expected)
    expect([...letters.keys()].join('')).toBe([...letters.keys()].toSorted().join(''))
    expect(listed.length).toBeGreaterThan(60)
  })

  it('says in its first paragraph what each letter is about', () => {
    const [, legend] = guide.split('\n\n')
    for (const letter of letters.keys()) expect(legend).toContain(`**${letter}** `)
  })

  it('lists every number that a comment in src/ names', () => {
    const unlisted = filesOf('src', /\.ts$/).flatMap((file) =>
      numbersIn(commentsOf(readFileSync(file, 'utf8')))
        .filter((number) => !listed.includes(number))
        .map((number) => `${file} names ${number}, which docs/promises.md does not list`),
    )
    expect(unlisted).toEqual([])
  })

  it('lists every number that a title of a test names', () => {
    const unlisted = titles.flatMap(({ file, title }) =>
      numbersIn(title)
        .filter((number) => !listed.includes(number))
        .map((number) => `${file} names ${number} in a title, which docs/promises.md does not list`),
    )
    expect(unlisted).toEqual([])
  })

  it('lists no number that no test has in its title', () => {
    const shown = new Set(titles.flatMap(({ title }) => numbersIn(title)))
    expect(
      listed
        .filter((number) => !shown.has(number))
        .map((number) => `no test has ${number} in its title: show what docs/promises.md promises there`),
    ).toEqual([])
  })

  it('is read as it should be', () => {
    expect(
      numbersIn('(A2, M15): as S45 says; V8, SHA256, 0xF1, E4b and AAL1 are others, F12. is not'),
    ).toEqual(['A2', 'M15', 'F12'])
    expect(commentsOf("const a = 'B1' // C2\n/** D3\n * D4 */ const b = 'E5'")).toBe(
      '// C2\n/** D3\n * D4 */',
    )
  })
})

function filesOf(folder: string, names: RegExp): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => names.test(file) && !file.includes('node_modules'))
    .map((file) => `${folder}/${file}`)
}

function commentsOf(source: string): string {
  return (source.match(/\/\*[\s\S]*?\*\/|\/\/.*$/gm) ?? []).join('\n')
}
