// Has the library become slower? On any machine and however busy, since it counts instead of timing.
// `npm run guard` compares with baseline.json; `npm run guard -- --update` writes it anew.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PATHS = ['untouched', 'read', 'write']
const FEWER = 500
const MORE = 1_500
/** So few that nothing is collected meanwhile. */
const ALLOCATING = 200
/** Of the baseline: other CPUs have other instructions, and V8 changes with each version of Node. */
const BOUND = 1.25
/** `--predictable` and fixed seeds make two runs the same within 0.1 %. */
const NODE_OPTIONS = ['--predictable', '--single-threaded', '--hash-seed=1', '--random-seed=1']
const YOUNG_GENERATION = ['--min-semi-space-size=128', '--max-semi-space-size=128']

const here = (file) => fileURLToPath(new URL(file, import.meta.url))
if (spawnSync('valgrind', ['--version']).status !== 0) {
  console.error('missing: valgrind; install with: sudo apt-get update && sudo apt-get install -y valgrind')
  process.exit(1)
}
const node = process.version.split('.')[0]
const counted = Object.fromEntries(PATHS.map((path) => [path, count(path)]))

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
for (const path of PATHS) {
  for (const unit of ['instructions', 'bytes']) {
    const bound = Math.round(baseline.paths[path][unit] * BOUND)
    const isGood = counted[path][unit] <= bound
    if (!isGood) failed++
    const figures = [baseline.paths[path][unit], counted[path][unit], bound].map((figure) =>
      figure.toLocaleString('en'),
    )
    console.log(`| ${path} | ${unit} | ${figures.join(' | ')} | ${isGood ? 'holds' : 'HAS GROWN'} |`)
  }
}
process.exit(failed === 0 ? 0 : 1)

/** What one request more takes, start-up and warm-up taken off. */
function count(path) {
  const bytes = Number(
    run(process.execPath, [...YOUNG_GENERATION, here('path.mjs'), path, ALLOCATING]).stdout,
  )
  return {
    instructions: Math.round((instructions(path, MORE) - instructions(path, FEWER)) / (MORE - FEWER)),
    bytes: Math.round(bytes),
  }
}

function instructions(path, times) {
  const valgrind = ['--tool=callgrind', '--callgrind-out-file=/dev/null', process.execPath]
  const { stderr } = run('valgrind', [...valgrind, ...NODE_OPTIONS, here('path.mjs'), path, times])
  return Number(/Collected : (\d+)/.exec(stderr)[1])
}

function run(command, args) {
  const ended = spawnSync(command, args.map(String), { encoding: 'utf8' })
  if (ended.status !== 0) throw new Error(`${command} ended with ${ended.status}: ${ended.stderr}`)
  return ended
}
