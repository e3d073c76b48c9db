// All that takes a store, over Redis alone, by ioredis and by node-redis: `npm test` runs what is short of it.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { installFromDebian } from './debian.mjs'

installFromDebian(['redis-server'])
// Hundreds of megabytes: not again when the lock is what is there.
if (spawnSync('npm', ['ls', '--prefix', 'test/runtimes']).status !== 0) {
  const options = ['--no-audit', '--no-fund', '--loglevel=error']
  const { status } = spawnSync('npm', ['ci', '--prefix', 'test/runtimes', ...options], { stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}

/** It asks for a store of one kind or another, or is about RedisStore. */
const takesStore = (file) =>
  file.startsWith('test/core/stores/redis/') ||
  file === 'test/doctor/redis.test.ts' ||
  /import \{[^}]*\b(stores|serverStores|kinds|onKinds)\b[^}]*\} from '[./]+support\/(stores|store-servers)\.ts'/.test(
    readFileSync(file, 'utf8'),
  )
const files = readdirSync('test', { recursive: true })
  .map((file) => `test/${file}`)
  .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules') && takesStore(file))
// Four servers contend for one session, on a machine of their own; they are started on Node.
const proofs = files.filter((file) => file.startsWith('test/proofs/'))
// Held to a time, so not beside what keeps both cores busy.
const timed = ['outage', 'faults', 'restart', 'told', 'signed-out'].map((name) => `test/${name}.test.ts`)
const others = files.filter((file) => !proofs.includes(file) && !timed.includes(file))

const vitest = ['node_modules/vitest/vitest.mjs', 'run']
const onNode = [process.execPath, ...vitest]
const onBun = ['test/runtimes/node_modules/.bin/bun', '--bun', ...vitest]
let isGood = true
for (const [command, ...args] of [
  [...onNode, '--maxWorkers=2', ...others],
  [...onNode, '--maxWorkers=2', ...timed],
  [...onNode, '--no-file-parallelism', ...proofs],
  [...onBun, '--maxWorkers=2', ...others],
  [...onBun, '--maxWorkers=2', ...timed],
]) {
  const { status } = spawnSync(command, args, {
    stdio: 'inherit',
    env: { ...process.env, TEST_STORES: 'redis' },
  })
  isGood &&= status === 0
}
process.exit(isGood ? 0 : 1)
