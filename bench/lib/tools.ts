import { spawnSync } from 'node:child_process'

/** Installs what is missing of Debian's memcached and wrk, as root; otherwise says how, and ends. */
export function installTools(): void {
  const missing = ['memcached', 'wrk'].filter(
    (tool) => !succeeds('sh', '-c', `command -v ${tool} >/dev/null`),
  )
  if (missing.length === 0) return
  if (process.getuid?.() === 0) {
    console.log(`installing ${missing.join(', ')} with apt-get`)
    const options = ['-qq', '-o', 'DPkg::Lock::Timeout=120']
    succeeds('apt-get', ...options, 'update')
    if (succeeds('apt-get', ...options, 'install', '-y', ...missing)) return
  }
  const names = missing.join(' ')
  console.error(`missing: ${names}; install with: sudo apt-get update && sudo apt-get install -y ${names}`)
  process.exit(1)
}

function succeeds(command: string, ...args: string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return spawnSync(command, args, { stdio: 'inherit', env }).status === 0
}
