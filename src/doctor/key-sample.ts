import { connect } from 'node:net'
import type { ServerAddress } from '../core/stores/memcached/address.ts'
import { KEY_LENGTH } from '../core/stores/memcached/settings.ts'

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
  const lines = listing.split(/\r?\n/)
  // The last piece is empty after a whole line, and cut off otherwise.
  lines.pop()
  const isComplete = lines.at(-1) === 'END'
  if (isComplete) lines.pop()
  const refusal = lines.find((line) => !line.startsWith('key='))
  if (refusal !== undefined) throw new Error(`memcached refused: ${refusal.slice(0, 80)}`)
  if (listing === '') throw new Error('memcached did not answer')
  const foreign = lines.filter((line) => !isSession(keyOf(line), keyPrefix)).length
  return { looked: lines.length, foreign, isComplete }
}

function list(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let receivedBytes = 0
    let tail = ''
    const socket = connect({ host, port })
    const finish = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(Buffer.concat(chunks).toString('latin1'))
    }
    const timer = setTimeout(finish, LONGEST_MS)
    socket
      .on('connect', () => socket.write('lru_crawler metadump all\r\n'))
      .on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        receivedBytes += chunk.length
        tail = (tail + chunk.toString('latin1')).slice(-LONGEST_LINE)
        // A line that is no key is the last one: END, or a refusal. memcached does not hang up by itself.
        if (/(^|\n)(?!key=)[^\n]*\n$/.test(tail) || receivedBytes > MOST_BYTES) finish()
      })
      .on('end', finish)
      .on('error', (error) => {
        clearTimeout(timer)
        reject(error)
      })
  })
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
  const name = key.slice(keyPrefix.length)
  return key.startsWith(keyPrefix) && name.length === KEY_LENGTH && /^[\w-]*$/.test(name)
}
