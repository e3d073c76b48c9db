// Has the library become slower? On any machine and however busy, since it counts instead of timing.
// `npm run guard` compares with baseline.json; `npm run guard -- --update` writes it anew.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PATHS = ['read', 'cold', 'write', 'untouched']
/** A request through each adapter whose handler leaves the session alone: what counts there is what it makes. */
const ADAPTERS = ['hono', 'koa', 'node', 'fetch']
/** Until most is compiled: after 1 000, half of what is counted was compiling, and builds that differ little counted 20 % apart. */
const WARM_UP = 6_000
const COUNTED = 1_500
/** Of path.mjs. */
const ROUNDS = 5
/** What is not compiled for good allocates more, each time another amount. */
const LONG_WARM_UP = 20_000
/** So few that in most rounds nothing is collected. */
const ALLOCATING = 1_000
/** These are the same each time. */
const COUNTED_PROMISES = 100
/** Of the baseline: other CPUs have other instructions, and V8 changes with each version of Node. */
const BOUNDS = { instructions: 1.25, bytes: 1.05, promises: 1 }
/** `--predictable` and fixed seeds make two runs the same within 0.1 %. */
const NODE_OPTIONS = ['--predictable', '--single-threaded', '--hash-seed=1', '--random-seed=1']
const YOUNG_GENERATION = ['--min-semi-space-size=128', '--max-semi-space-size=128']

const here = (file) => fileURLToPath(new URL(file, import.meta.url))
if (spawnSync('valgrind', ['--version']).status !== 0) {
  console.error('missing: valgrind; install with: sudo apt-get update && sudo apt-get install -y valgrind')
  process.exit(1)
}
const node = process.version.split('.')[0]
const counted = Object.fromEntries([
  ...PATHS.map((path) => [
    path,
    { instructions: instructions(path), bytes: bytes(path), promises: promises(path) },
  ]),
  ...ADAPTERS.map((path) => [path, { bytes: bytes(path), promises: promises(path) }]),
])

if (process.argv.includes('--update')) {
  writeFileSync(here('baseline.json'), `${JSON.stringify({ node, paths: counted }, null, 2)}\n`)
  console.log('baseline.json is written')
  process.exit(0)
}
const baseline = JSON.parse(readFileSync(here('baseline.json'), 'utf8'))
if (baseline.node !== node) {
  console.error(`expected Node ${baseline.node}, by which the baseline was made, got ${process.version}`)
  process.exit(1)
}
let failed = 0
console.log('| path | a request | baseline | here | bound | |\n|---|---|---|---|---|---|')
for (const [path, units] of Object.entries(counted)) {
  for (const [unit, count] of Object.entries(units)) {
    const known = baseline.paths[path][unit]
    const bound = Math.round(known * BOUNDS[unit])
    const isGood = count <= bound
    if (!isGood) failed++
    const figures = [known, count, bound].map((figure) => figure.toLocaleString('en'))
    console.log(`| ${path} | ${unit} | ${figures.join(' | ')} | ${isGood ? 'holds' : 'HAS GROWN'} |`)
  }
}
process.exit(failed === 0 ? 0 : 1)

/**
 * What a request takes, of rounds the least: the others may compile or collect. path.mjs asks for the memory in use before
 * and after each round, and valgrind writes down there what was counted since.
 */
function instructions(path) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-guard-'))
  try {
    const counting = [
      '--tool=callgrind',
      `--callgrind-out-file=${folder}/count`,
      '--dump-before=uv_resident_set_memory',
    ]
    run('valgrind', [
      ...counting,
      process.execPath,
      ...NODE_OPTIONS,
      here('path.mjs'),
      path,
      WARM_UP,
      COUNTED,
    ])
    // The first is all before the rounds; between two rounds lies next to nothing.
    const dumps = Array.from({ length: 2 * ROUNDS }, (_, index) => join(folder, `count.${index + 1}`))
    const rounds = dumps
      .filter((_, index) => index % 2 === 1)
      .map((file) => countedIn(file) / (COUNTED / ROUNDS))
    return Math.round(Math.min(...rounds))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function countedIn(file) {
  return Number(/^(?:summary|totals): (\d+)/m.exec(readFileSync(file, 'utf8'))[1])
}

/** What one request allocates, without what it would without the library. */
function bytes(path) {
  return Math.round(beyondBare(path, YOUNG_GENERATION, [LONG_WARM_UP, ALLOCATING]))
}

/** How many promises one request makes or waits for, without what it would without the library. */
function promises(path) {
  return beyondBare(path, [], [COUNTED_PROMISES, COUNTED_PROMISES, 'promises'])
}

function beyondBare(path, options, args) {
  const [withIt, bare] = [[], ['bare']].map((mode) =>
    Number(run(process.execPath, [...options, here('path.mjs'), path, ...args, ...mode]).stdout),
  )
  return withIt - bare
}

function run(command, args) {
  const ended = spawnSync(command, args.map(String), { encoding: 'utf8' })
  if (ended.status !== 0) throw new Error(`${command} ended with ${ended.status}: ${ended.stderr}`)
  return ended
}
