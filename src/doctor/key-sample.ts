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

/**
 * Counts the keys of a server on a connection of its own, in the text protocol: the binary one cannot list them.
 * Bounded in time and bytes; what was listed by then is the sample. Rejects with the server's refusal.
 */
export async function sampleKeys({ host, port }: ServerAddress, keyPrefix: string): Promise<KeySample> {
  const signal = AbortSignal.timeout(LONGEST_MS)
  const socket = addAbortSignal(signal, connect({ host, port })).setEncoding('latin1')
  const sample = { looked: 0, foreign: 0, isComplete: false }
  let bytes = 0
  let cutOff = ''
  try {
    socket.write('lru_crawler metadump all\r\n')
    for await (const chunk of socket) {
      const lines = `${cutOff}${chunk}`.split(/\r?\n/)
      cutOff = lines.pop()!
      for (const line of lines) {
        // memcached does not hang up by itself.
        if (line === 'END') return { ...sample, isComplete: true }
        if (!line.startsWith('key=')) throw new Error(`memcached refused: ${line.slice(0, 80)}`)
        sample.looked++
        if (!isSession(keyOf(line), keyPrefix)) sample.foreign++
      }
      bytes += chunk.length
      if (bytes > MOST_BYTES) break
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  if (bytes === 0) throw new Error('memcached did not answer')
  return sample
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
