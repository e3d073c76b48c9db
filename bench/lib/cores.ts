import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** Those that this process may use, where it can choose: on Linux. */
const cores = existsSync('/usr/bin/taskset') ? allowedCores() : []
const [own, ...others] = cores

/** Whether what is measured can have a core of its own. */
export const hasOwnCore: boolean = others.length > 0

/**
 * Leaves a core to what is measured; wrk, memcached and this process take the others. Where they took turns on one, a write
 * of ours cost a tenth more for as long as memcached stood beside it, and the floor, which needs less of a core's caches,
 * no more than before.
 */
export function leaveOneCore(): void {
  if (!hasOwnCore) return
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', others.join(), String(process.pid)])
}

/** The command on that core, under the same process id. */
export function onOwnCore(command: string, ...args: string[]): [string, ...string[]] {
  return hasOwnCore ? ['taskset', '--cpu-list', String(own), command, ...args] : [command, ...args]
}

function allowedCores(): number[] {
  const [, list] = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))!
  return list!.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number)
    return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index)
  })
}
