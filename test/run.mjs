// The one test command: sets up what the tests need, checks and builds, runs everything, and closes with a count.
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installFromDebian } from './debian.mjs'

const report = join(mkdtempSync(join(tmpdir(), 'holdfast-')), 'report.json')
const run = (command, ...args) => spawnSync(command, args, { stdio: 'inherit' }).status === 0
/** Beside others; what it says is shown when it is over. */
const runAside = (command, ...args) =>
  new Promise((done) => {
    execFile(command, args, { maxBuffer: Infinity }, (error, stdout, stderr) => {
      process.stdout.write(stdout + stderr)
      done(!error)
    })
  })

installFromDebian()
const installs = [
  ['test/runtimes', 'the runtimes that the tests drive'],
  ['test/recipes', 'the frameworks and libraries that the recipes of docs/ use'],
].map(([folder, what]) => {
  console.log(`installing ${what} (${folder})`)
  return runAside('npm', 'ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error')
})
const installed = Promise.all(installs)

let passed = 0
let failed = 0
async function check(name, ...command) {
  const isGood = await runAside(...command)
  console.log(`${isGood ? 'ok' : 'FAILED'}: ${name}`)
  if (isGood) passed++
  else failed++
}
// Meanwhile, what needs none of that. The types of the examples are those of the built package.
await check('build', 'npm', 'run', '--silent', 'build')
await Promise.all([
  check('types', 'npx', 'tsc'),
  check('lint', 'npx', 'oxlint', '--deny-warnings'),
  check('format', 'npx', 'oxfmt', '--check'),
])
// The core remembers nothing from one manager to the next, so two processes that compile it once run all its tests; each
// file has one of its own in `npx vitest run` and `npm run test:runtimes`.
const together = ['test/core/']
// What holds the library to a time mostly waits: beside others of its kind, and not beside what keeps both cores busy.
const timed = [
  'test/outage.test.ts',
  'test/faults.test.ts',
  'test/restart.test.ts',
  'test/signed-out.test.ts',
  'test/told.test.ts',
  'test/core/session/budget.test.ts',
  'test/core/session/concurrency.test.ts',
  'test/core/record/turns.test.ts',
  'test/core/stores/memcached/',
  'test/core/stores/redis/',
  'test/doctor/canary.test.ts',
  'test/doctor/doctor.test.ts',
  'test/doctor/key-sample.test.ts',
  'test/doctor/redis.test.ts',
]
// What has four servers contend for one session needs the machine for itself.
const alone = [
  'test/proofs/one-session.test.ts',
  'test/proofs/planted.test.ts',
  'test/proofs/redis.test.ts',
  'test/proofs/users.test.ts',
]
// `npm run test:package` has its own, since it installs from the registry again and again, and what runs tests a second
// time, on a machine that has nothing; `npm run test:redis` has what waits longest for servers of Redis to be missed.
const elsewhere = [
  'test/bare-machine.test.ts',
  'test/package.test.ts',
  'test/reference.test.ts',
  'test/package/',
  'test/hosts/',
  'test/moving/',
  'test/core/stores/redis/cluster.test.ts',
  'test/core/stores/redis/sentinel.test.ts',
]
// On Bun, all that runs the library itself, and what is together or timed; what starts processes of its own starts those
// on Bun that are meant for it.
const onBun = [
  'test/doctor/',
  'test/adapters/',
  'test/testing/',
  'test/http.test.ts',
  'test/rotation.test.ts',
]
// The command is started on Node. What waits longest waits for the same clock on Bun: there `npm run test:runtimes` runs
// it, and here is what meets Bun's own sockets, TLS and HTTP. Of RedisStore the contract and the options are enough here,
// and the rest runs on Bun by `npm run test:redis`.
const notOnBun = [
  ...['outage', 'restart', 'signed-out', 'told'].map((name) => `test/${name}.test.ts`),
  'test/core/session/budget.test.ts',
  'test/doctor/doctor.test.ts',
  'test/doctor/cli.test.ts',
  'test/doctor/redis.test.ts',
  ...['faults', 'late-execution', 'outage', 'server-watch'].map(
    (name) => `test/core/stores/redis/${name}.test.ts`,
  ),
]
const missingFiles = [together, timed, alone, elsewhere, onBun, notOnBun]
  .flat()
  .filter((path) => !existsSync(path))
if (missingFiles.length > 0) throw new Error(`no such tests: ${missingFiles.join(', ')}`)

const vitest = ['node_modules/vitest/vitest.mjs', 'run']
const onNode = [process.execPath, ...vitest]
const byBun = ['test/runtimes/node_modules/.bin/bun', '--bun', ...vitest]
const but = (...lists) =>
  lists.flat().map((path) => (path.endsWith('/') ? `--exclude=${path}**` : `--exclude=${path}`))
function test(...part) {
  const isGreen = run(...part, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`)
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'))
    passed += numPassedTests
    failed += Math.max(numFailedTests, isGreen ? 0 : 1)
  } catch {
    failed++
  } finally {
    rmSync(report, { force: true })
  }
}

// Of what was installed it needs nothing, so it runs meanwhile, too.
test(...onNode, '--maxWorkers=2', '--no-isolate', ...but(timed), ...together)
if ((await installed).includes(false)) process.exit(1)
await check('types of the recipes', 'npx', 'tsc', '-p', 'test/recipes')
// Three on two cores: much of it waits for browsers and programs.
test(...onNode, '--maxWorkers=3', ...but(together, timed, alone, elsewhere))
test(...onNode, '--maxWorkers=3', ...but(elsewhere), ...timed)
test(...onNode, '--no-file-parallelism', ...alone)
test(...byBun, '--maxWorkers=2', ...but(timed, notOnBun), ...onBun)
test(...byBun, '--maxWorkers=2', '--no-isolate', ...but(timed), ...together)
test(...byBun, '--maxWorkers=3', ...but(elsewhere, notOnBun), ...timed)
rmSync(join(report, '..'), { recursive: true })
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
