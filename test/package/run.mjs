// Installs what test/package.test.ts, test/hosts/ and test/bare-machine.test.ts need, where that is not there yet, and runs
// them.
import { spawnSync } from 'node:child_process'
import { installFromDebian } from '../debian.mjs'

const run = (...command) => {
  const { status } = spawnSync(command[0], command.slice(1), { stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}

installFromDebian()
for (const folder of ['test/package', 'test/runtimes', 'test/hosts']) {
  if (spawnSync('npm', ['ls', '--prefix', folder]).status === 0) continue
  console.log(`installing the packages of ${folder}`)
  run('npm', 'ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error')
}
run('npx', 'vitest', 'run', 'test/package.test.ts')
// It copies the project with what is built, which the examples run.
run('npm', 'run', '--silent', 'build')
run('npx', 'vitest', 'run', 'test/bare-machine.test.ts')
run('npx', 'vitest', 'run', '--no-file-parallelism', 'test/hosts')
