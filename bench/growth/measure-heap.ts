import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Memory of one live session in MemoryStore. */
export interface Heap {
  sessions: number
  /** Of one sealed record. */
  recordBytes: number
  heapBytes: number
  /** Outside V8's heap, where the bytes of records are. */
  bufferBytes: number
}

/** In a process of its own, whose memory nothing else moves. */
export async function measureHeap(sessions: number): Promise<Heap> {
  const script = fileURLToPath(new URL('heap-process.ts', import.meta.url))
  const args = ['--expose-gc', '--max-old-space-size=4096', '--import', 'tsx', script, String(sessions)]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as Heap
}
