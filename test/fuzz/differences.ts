import { readFileSync } from 'node:fs'

export type Parser = 'cookie' | 'Hono' | 'tough-cookie'
export const parsers: readonly Parser[] = ['cookie', 'Hono', 'tough-cookie']

/** What parsers disagree on, in the words of the table in docs/cookies.md. */
export type Difference = (typeof ON_READING)[number] | (typeof ON_CHOOSING)[number]

const ON_READING = [
  'header beyond 16 KiB',
  'percent escapes',
  'quoted value',
  'white space other than space and tab',
  'line break or NUL in a pair',
  'forbidden characters',
] as const
/** Not on what the cookies are, but on which of them is handed out. */
const ON_CHOOSING = ['several cookies of the name', 'a value that is no token'] as const

type Row = (typeof ON_READING)[number]

/** How a parser reads the cookies of one name; by itself, as Holdfast does. */
interface Reading {
  end: number
  endOfPair: RegExp | undefined
  trim: (text: string) => string
  unquote: (value: string) => string
  forbidden: RegExp | undefined
  decode: (value: string) => string
}

const plain: Reading = {
  end: 16_384,
  endOfPair: undefined,
  trim: (text) => text.replace(/^[ \t]+/, '').replace(/[ \t]+$/, ''),
  unquote: (value) => value,
  forbidden: undefined,
  decode: (value) => value,
}

/** Each cell of the table that does not say "the same". */
const cells: Record<Row, Partial<Record<Parser, Partial<Reading>>>> = {
  'header beyond 16 KiB': {
    cookie: { end: Infinity },
    Hono: { end: Infinity },
    'tough-cookie': { end: Infinity },
  },
  'percent escapes': {
    cookie: { decode: decoded },
    Hono: { decode: (value) => value.replace(/(%[0-9A-Fa-f]{2})+/g, decoded) },
  },
  'quoted value': { Hono: { unquote: (value) => (/^".*"$|^"$/s.test(value) ? value.slice(1, -1) : value) } },
  'white space other than space and tab': { 'tough-cookie': { trim: (text) => text.trim() } },
  'line break or NUL in a pair': { 'tough-cookie': { endOfPair: /[\n\r\0]/ } },
  'forbidden characters': {
    // oxlint-disable-next-line no-control-regex
    'tough-cookie': { forbidden: /[\0-\x1f]/ },
    Hono: { forbidden: /[^ !#-:<-[\]-~]/ },
  },
}

/** The values of the cookies of the name, in order, as docs/cookies.md says that this parser reads them. */
export function valuesOf(header: string, name: string, parser?: Parser): string[] {
  return parser ? read(header, name, parser, ON_READING) : read(header, name)
}

/** Which rows of the page it takes to tell why this parser's cookie is not Holdfast's. */
export function explain(header: string, name: string, parser: Parser): Difference[] {
  const [ours, theirs] = [valuesOf(header, name), valuesOf(header, name, parser)]
  if (isSame(ours, theirs) && theirs.length === 1 && isToken(theirs[0]!)) return []
  // Some do the same to a header: then neither is missed alone.
  const differences: Difference[] = ON_READING.filter((row) => {
    const others = ON_READING.filter((other) => other !== row)
    return (
      !isSame(read(header, name, parser, [row]), ours) || !isSame(read(header, name, parser, others), theirs)
    )
  })
  if (theirs.length > 1) differences.push('several cookies of the name')
  if (theirs.some((value) => !isToken(value))) differences.push('a value that is no token')
  return differences
}

/** What stands for the name, read with these of the parser's differences. */
function read(header: string, name: string, parser?: Parser, rows: readonly Row[] = []): string[] {
  const reading = { ...plain }
  for (const row of rows) if (parser) Object.assign(reading, cells[row][parser])
  const { end, endOfPair, trim, unquote, forbidden, decode } = reading
  const pairs = header.slice(0, end).split(';')
  // A pair that ends with the bound is whole.
  if (header.length > end && header[end] !== ';') pairs.pop()
  return pairs
    .map((pair) => (endOfPair ? trim(pair).split(endOfPair, 1)[0]! : pair))
    .filter((pair) => pair.includes('=') && trim(pair.slice(0, pair.indexOf('='))) === name)
    .map((pair) => unquote(trim(pair.slice(pair.indexOf('=') + 1))))
    .filter((value) => !forbidden?.test(value))
    .map(decode)
}

const isSame = (left: readonly string[], right: readonly string[]) =>
  JSON.stringify(left) === JSON.stringify(right)

export const isToken = (value: string): boolean => /^[A-Za-z0-9_-]{43}$/.test(value)

/** Every cell that does not say "the same", in the table on the page. */
export function documentedCells(): string[] {
  const page = readFileSync('docs/cookies.md', 'utf8')
  const rows = [...page.matchAll(/^\| (.*) \|$/gm)].map(([, cells]) => cells!.split(' | '))
  const [[, , ...columns] = [], ...differences] = rows
  return differences.flatMap(([difference, , ...said]) =>
    said.flatMap((cell, index) =>
      cell === 'the same' ? [] : [`${difference}: ${columns[index]!.replaceAll('`', '')}`],
    ),
  )
}

/** The same, of what the fuzzer allows. */
export function allowedCells(): string[] {
  const choosing = ON_CHOOSING.flatMap((row) => parsers.map((parser) => `${row}: ${parser}`))
  return [
    ...choosing,
    ...ON_READING.flatMap((row) => Object.keys(cells[row]).map((parser) => `${row}: ${parser}`)),
  ]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
