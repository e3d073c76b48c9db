// What npm would publish, and what takes long: installs what these tests need, where that is not there yet, and runs them.
import { spawnSync } from 'node:child_process'
import { installFromDebian } from '../debian.mjs'

const folders = [
  'test/package',
  'test/runtimes',
  'test/recipes',
  'test/hosts',
  'test/moving',
  'tools/reference',
]
const tests = [
  'test/package.test.ts',
  'test/reference.test.ts',
  'test/package/',
  'test/hosts/',
  'test/moving/',
  // Its copy of the project has the dist/ that is here.
  'test/bare-machine.test.ts',
]

const run = (...command) => {
  const { status } = spawnSync(command[0], command.slice(1), { stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}

installFromDebian()
// Without what it recommends, which is another server.
installFromDebian(['prometheus'], '--no-install-recommends')
for (const folder of folders) {
  if (spawnSync('npm', ['ls', '--prefix', folder]).status === 0) continue
  console.log(`installing the packages of ${folder}`)
  run('npm', 'ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error')
}
run('promtool', 'check', 'rules', 'test/recipes/events/alerts.yaml')
run('promtool', 'test', 'rules', 'test/package/alerts.yaml')
run('npm', 'run', '--silent', 'build')
run('npx', 'vitest', 'run', '--no-file-parallelism', ...tests)
