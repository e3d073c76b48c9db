// One suite on every runtime: installs them, runs suite.mjs on each, and closes with a table and a count.
// `npm run test:runtimes -- Deno workerd` runs it on these alone.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { everywhere, onNodeAlone } from './suite.mjs'

const pinned = 'test/runtimes/node_modules'
const more = 'test/runtimes/more/node_modules'
const runtimes = [
  { title: `Node ${major(process.version)}`, name: 'Node', command: [process.execPath] },
  { title: 'Node 22', name: 'Node', command: [`${pinned}/node22/bin/node`] },
  { title: 'Node 24', name: 'Node', command: [`${more}/node24/bin/node`] },
  { title: 'Bun', name: 'Bun', command: [`${pinned}/.bin/bun`, '--bun'] },
  { title: 'Deno', name: 'Deno', command: [`${more}/.bin/deno`, 'run', '-A'] },
  // It runs no vitest: Node asks it over HTTP.
  { title: 'workerd', name: 'workerd', command: [process.execPath] },
]
const wanted = process.argv.slice(2)
const unknown = wanted.filter((title) => !runtimes.some((runtime) => runtime.title === title))
if (unknown.length > 0) {
  console.error(
    `expected some of ${runtimes.map(({ title }) => title).join(', ')}, got ${unknown.join(', ')}`,
  )
  process.exit(1)
}

const isListed = (file) =>
  [...everywhere, ...Object.keys(onNodeAlone)].some((path) => file === path || file.startsWith(path))
const unlisted = readdirSync('test', { recursive: true })
  .map((file) => `test/${file}`)
  .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules') && !isListed(file))
for (const file of unlisted) console.error(`FAILED: ${file} is in no list of test/runtimes/suite.mjs`)

for (const folder of ['test/runtimes', 'test/runtimes/more']) {
  // Hundreds of megabytes: not again when the lock is what is there.
  if (spawnSync('npm', ['ls', '--prefix', folder]).status === 0) continue
  console.log(`installing the runtimes of ${folder}`)
  const options = ['--no-audit', '--no-fund', '--loglevel=error']
  const { status } = spawnSync('npm', ['ci', '--prefix', folder, ...options], { stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}

console.log('\nOn every Node, Bun and Deno:')
for (const path of everywhere) console.log(`  ${path}`)
console.log(`On Node ${major(process.version)} alone, by npm test:`)
for (const [path, why] of Object.entries(onNodeAlone)) console.log(`  ${path}: ${why}`)

const folder = mkdtempSync(join(tmpdir(), 'holdfast-runtimes-'))
const report = join(folder, 'report.json')
const rows = []
for (const { title, name, command } of runtimes) {
  if (wanted.length > 0 && !wanted.includes(title)) continue
  const version = versionOf(name, command)
  console.log(`\n${title} ${version}`)
  rows.push([title, version, ...run(name, version, command)])
}
rmSync(folder, { recursive: true })

const passed = rows.reduce((sum, row) => sum + row[2], 0)
const failed = rows.reduce((sum, row) => sum + row[3], 0) + unlisted.length
console.log('\n| runtime | version | passed | failed |\n|---|---|---|---|')
for (const row of rows) console.log(`| ${row.join(' | ')} |`)
console.log(`\n${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

function run(name, version, [command, ...args]) {
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/runtimes/vitest.config.mjs']
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const { status } = spawnSync(command, [...args, ...vitest, ...reporters], {
    stdio: 'inherit',
    env: { ...process.env, RUNTIME: name, RUNTIME_VERSION: version },
  })
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'))
    return [numPassedTests, Math.max(numFailedTests, status === 0 ? 0 : 1)]
  } catch {
    return [0, 1]
  } finally {
    rmSync(report, { force: true })
  }
}

function versionOf(name, [command]) {
  if (name === 'workerd') return packageVersion(`${more}/workerd`)
  const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' })
  return /\d+\.\d+\.\d+/.exec(stdout)?.[0]
}

function packageVersion(path) {
  return JSON.parse(readFileSync(`${path}/package.json`, 'utf8')).version
}

function major(version) {
  return version.replace(/^v(\d+).*/, '$1')
}
