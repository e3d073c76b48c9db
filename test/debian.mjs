// What tests need of Debian, and how each shows that it is there; not every user's PATH holds /usr/sbin.
import { spawnSync } from 'node:child_process'

const checks = {
  memcached: 'command -v memcached',
  'redis-server': 'command -v redis-server',
  'sasl2-bin': 'PATH="$PATH:/usr/sbin" command -v saslpasswd2',
  'libsasl2-modules': 'ls /usr/lib*/sasl2/libplain.so* /usr/lib/*/sasl2/libplain.so* 2>/dev/null | grep -q .',
  faketime: 'command -v faketime',
  openssl: 'command -v openssl',
  nginx: 'PATH="$PATH:/usr/sbin" command -v nginx',
  chromium: 'command -v chromium',
  prometheus: 'command -v promtool',
}
// 100 MB for one command, which `npm run test:package` alone has use for.
const { prometheus: _, ...ofNpmTest } = checks

/** Installs what is missing, as root; otherwise says how, and ends. */
export function installFromDebian(names = Object.keys(ofNpmTest), ...more) {
  const findMissing = () => names.filter((name) => spawnSync('sh', ['-c', checks[name]]).status !== 0)
  const missing = findMissing()
  if (missing.length === 0) return
  if (process.getuid?.() === 0) {
    console.log(`installing ${missing.join(', ')} with apt-get`)
    // A fresh machine is often at its first upgrade, which holds the lock.
    const options = ['-qq', '-o', 'DPkg::Lock::Timeout=120']
    // RUNLEVEL: the tests start servers of their own, so Debian is not to start its services.
    const environment = ['DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1']
    const apt = (...args) =>
      spawnSync('env', [...environment, 'apt-get', ...options, ...args], { stdio: 'inherit' })
    apt('update')
    apt('install', '-y', ...more, ...missing)
  }
  const stillMissing = findMissing().join(' ')
  if (!stillMissing) return
  console.error(
    `missing: ${stillMissing}; install with: sudo apt-get update && sudo apt-get install -y ${stillMissing}`,
  )
  process.exit(1)
}
