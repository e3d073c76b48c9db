import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'

const running = new Map<ChildProcess, { folder: string | undefined; end: () => unknown }>()
process.once('exit', () => {
  for (const { end } of running.values()) end()
  for (const { folder } of running.values()) {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
})
// By which vitest ends what a test file ran in; alone it would let nobody look back.
process.once('SIGTERM', () => process.exit(143))

/** Ends it with the tests at the latest, with its folder: none may leave one behind, not even one that crashed. */
export function endWithTests(
  child: ChildProcess,
  folder?: string,
  end: () => unknown = () => child.kill('SIGKILL'),
): void {
  running.set(child, { folder, end })
  child.once('exit', () => running.delete(child))
}
