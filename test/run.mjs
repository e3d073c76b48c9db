// The one test command: sets up what the tests need, checks and builds, runs everything, and closes with a count.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const report = join(mkdtempSync(join(tmpdir(), 'holdfast-')), 'report.json')
const run = (command, ...args) => spawnSync(command, args, { stdio: 'inherit' }).status === 0
const isHere = (check) => spawnSync('sh', ['-c', check]).status === 0

// What the tests need of Debian, and how each shows that it is there; not every user's PATH holds /usr/sbin.
const packages = {
  memcached: 'command -v memcached',
  'sasl2-bin': 'PATH="$PATH:/usr/sbin" command -v saslpasswd2',
  'libsasl2-modules': 'ls /usr/lib*/sasl2/libplain.so* /usr/lib/*/sasl2/libplain.so* 2>/dev/null | grep -q .',
  faketime: 'command -v faketime',
  openssl: 'command -v openssl',
  nginx: 'PATH="$PATH:/usr/sbin" command -v nginx',
  chromium: 'command -v chromium',
}
const findMissing = () => Object.keys(packages).filter((name) => !isHere(packages[name]))
const missing = findMissing()
if (missing.length > 0) {
  if (process.getuid?.() === 0) {
    console.log(`installing ${missing.join(', ')} with apt-get`)
    // A fresh machine is often at its first upgrade, which holds the lock.
    const options = ['-qq', '-o', 'DPkg::Lock::Timeout=120']
    // RUNLEVEL: the tests start servers of their own, so Debian is not to start its services.
    const environment = ['DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1']
    const apt = (...args) => run('env', ...environment, 'apt-get', ...options, ...args)
    apt('update')
    apt('install', '-y', ...missing)
  }
  const stillMissing = findMissing().join(' ')
  if (stillMissing) {
    console.error(
      `missing: ${stillMissing}; install with: sudo apt-get update && sudo apt-get install -y ${stillMissing}`,
    )
    process.exit(1)
  }
}
for (const [folder, what] of [
  ['test/runtimes', 'the runtimes that the tests drive'],
  ['test/recipes', 'the frameworks and libraries that the recipes of docs/ use'],
]) {
  console.log(`installing ${what} (${folder})`)
  if (!run('npm', 'ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error')) process.exit(1)
}

const checks = [
  ['build', 'npm', 'run', '--silent', 'build'],
  ['types', 'npx', 'tsc'],
  ['types of the recipes', 'npx', 'tsc', '-p', 'test/recipes'],
  ['lint', 'npx', 'oxlint', '--deny-warnings'],
  ['format', 'npx', 'oxfmt', '--check'],
]
let passed = 0
let failed = 0
for (const [name, ...command] of checks) {
  const isGood = run(...command)
  console.log(`${isGood ? 'ok' : 'FAILED'}: ${name}`)
  if (isGood) passed++
  else failed++
}

// On Bun, all that runs the library itself; what starts processes of its own starts those on Bun that are meant for it.
const bun = [
  'test/runtimes/node_modules/.bin/bun',
  '--bun',
  'node_modules/vitest/vitest.mjs',
  'run',
  '--maxWorkers=2',
  // The command is started on Node.
  '--exclude=test/doctor/cli.test.ts',
]
const onBun = [
  'core',
  'doctor',
  'adapters',
  'testing',
  'http',
  'rotation',
  'faults',
  'outage',
  'restart',
].map((name) => `test/${name}`)
// What holds the library to a time, or has four servers contend for one session, needs the machine for itself.
const alone = [
  'test/proofs/',
  'test/outage.test.ts',
  'test/faults.test.ts',
  'test/restart.test.ts',
  'test/core/session/budget.test.ts',
  'test/core/session/turns.test.ts',
  'test/core/session/concurrency.test.ts',
  'test/core/stores/memcached/',
  'test/doctor/',
]
// `npm run test:package` has its own, since it installs from the registry again and again.
const elsewhere = ['test/package.test.ts', ...alone].map((path) =>
  path.endsWith('/') ? `--exclude=${path}**` : `--exclude=${path}`,
)
for (const vitest of [
  ['npx', 'vitest', 'run', '--maxWorkers=2', ...elsewhere],
  ['npx', 'vitest', 'run', '--no-file-parallelism', ...alone],
  [...bun, ...onBun],
]) {
  const isGreen = run(...vitest, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`)
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
rmSync(join(report, '..'), { recursive: true })
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
