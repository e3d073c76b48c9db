import { connect } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { is32Bytes } from '../core/crypto/base64url.ts'
import type { ServerAddress } from '../core/stores/memcached/address.ts'

/** Some of the keys that a server holds, or all of them, counted. */
export interface KeySample {
  looked: number
  /** Those that are no session's. */
  foreign: number
  isComplete: boolean
}

const LONGEST_MS = 1_000
/** Some 35 000 keys, which take memcached 0.2 seconds. */
const MOST_BYTES = 4 * 1024 * 1024
/** A key of 250 bytes, each of them percent-encoded, and some numbers. */
const LONGEST_LINE = 1_000

/**
 * Counts the keys of a server on a connection of its own, in the text protocol: the binary one cannot list them.
 * Bounded in time and bytes; what was listed by then is the sample. Rejects with the server's refusal.
 */
export async function sampleKeys({ host, port }: ServerAddress, keyPrefix: string): Promise<KeySample> {
  const listing = await list(host, port)
  // The last piece is empty after a whole line, and cut off otherwise.
  const lines = listing.split(/\r?\n/).slice(0, -1)
  const isComplete = lines.at(-1) === 'END'
  if (isComplete) lines.pop()
  const refusal = lines.find((line) => !line.startsWith('key='))
  if (refusal !== undefined) throw new Error(`memcached refused: ${refusal.slice(0, 80)}`)
  if (listing === '') throw new Error('memcached did not answer')
  const foreign = lines.filter((line) => !isSession(keyOf(line), keyPrefix)).length
  return { looked: lines.length, foreign, isComplete }
}

async function list(host: string, port: number): Promise<string> {
  const signal = AbortSignal.timeout(LONGEST_MS)
  const socket = addAbortSignal(signal, connect({ host, port })).setEncoding('latin1')
  let listing = ''
  let tail = ''
  try {
    socket.write('lru_crawler metadump all\r\n')
    for await (const chunk of socket) {
      listing += chunk
      tail = (tail + chunk).slice(-LONGEST_LINE)
      // A line that is no key is the last one: END, or a refusal. memcached does not hang up by itself.
      if (/(^|\n)(?!key=)[^\n]*\n$/.test(tail) || listing.length > MOST_BYTES) break
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return listing
}

/** memcached percent-encodes the keys that it lists; what does not decode is nothing of ours. */
function keyOf(line: string): string {
  try {
    return decodeURIComponent(/^key=(\S*)/.exec(line)?.[1] ?? '')
  } catch {
    return ''
  }
}

export function isSession(key: string, keyPrefix: string): boolean {
  return key.startsWith(keyPrefix) && is32Bytes(key.slice(keyPrefix.length))
}
