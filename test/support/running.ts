import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'

const running = new Map<ChildProcess, string | undefined>()
process.once('exit', () => {
  for (const child of running.keys()) child.kill('SIGKILL')
  for (const folder of running.values()) {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
})
// By which vitest ends what a test file ran in; alone it would let nobody look back.
process.once('SIGTERM', () => process.exit(143))

/** Ends it with the tests at the latest, with its folder: none may leave one behind, not even one that crashed. */
export function endWithTests(child: ChildProcess, folder?: string): void {
  running.set(child, folder)
  child.once('exit', () => running.delete(child))
}
