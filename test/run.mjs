// The one test command: sets up what the tests need, checks and builds, runs everything, and closes with a count.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const report = join(mkdtempSync(join(tmpdir(), 'holdfast-')), 'report.json')
const run = (command, ...args) => spawnSync(command, args, { stdio: 'inherit' }).status === 0
const isOnPath = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0

if (!isOnPath('memcached')) {
  console.log('installing memcached with apt-get')
  const isInstalled =
    process.getuid?.() === 0 &&
    run('apt-get', 'update', '-qq') &&
    run('apt-get', 'install', '-y', '-qq', 'memcached')
  if (!isInstalled) {
    console.error(
      'memcached is missing; install it with: sudo apt-get update && sudo apt-get install -y memcached',
    )
    process.exit(1)
  }
}
console.log('installing the runtimes that the tests drive (test/runtimes)')
if (!run('npm', 'ci', '--prefix', 'test/runtimes', '--no-audit', '--no-fund', '--loglevel=error'))
  process.exit(1)

const checks = [
  ['build', 'npm', 'run', '--silent', 'build'],
  ['types', 'npx', 'tsc'],
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

const isGreen = run(
  'npx',
  'vitest',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
)
try {
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'))
  passed += numPassedTests
  failed += Math.max(numFailedTests, isGreen ? 0 : 1)
} catch {
  failed++
} finally {
  rmSync(join(report, '..'), { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
