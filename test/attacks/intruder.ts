import { connect } from 'node:net'
import { Client } from 'memjs'
import type { Memcached } from '../support/memcached.ts'

/** What memcached holds, and what the library put before each key. */
export interface Item {
  key: string
  value: Buffer
}

export const PREFIX = 'session:'

/** Everything, as anybody gets it who can reach the port. */
export async function dump(memcached: Memcached): Promise<Item[]> {
  const keys = Array.from((await list(memcached)).matchAll(/^key=(\S+)/gm), ([, key]) =>
    decodeURIComponent(key!),
  )
  let rest = await memcached.text(`get ${keys.join(' ')}`)
  return keys.map(() => {
    const [line, key, length] = /^VALUE (\S+) \d+ (\d+)\r\n/.exec(rest)!
    const end = line.length + Number(length)
    const value = Buffer.from(rest.slice(line.length, end), 'latin1')
    rest = rest.slice(end + '\r\n'.length)
    return { key: key!, value }
  })
}

/** Puts it under the key, whatever is there, for ever. */
export async function put({ port }: Memcached, key: string, value: Uint8Array): Promise<void> {
  const client = Client.create(`127.0.0.1:${port}`)
  try {
    await client.set(key, Buffer.from(value), { expires: 0 })
  } finally {
    client.close()
  }
}

export async function valueOf(memcached: Memcached, key: string): Promise<Buffer> {
  return (await dump(memcached)).find((item) => item.key === key)!.value
}

/** memcached forgets what follows this command, a `quit` too. */
async function list({ port }: Memcached): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write('lru_crawler metadump all\r\n')
  let listing = ''
  for await (const chunk of socket) {
    listing += (chunk as Buffer).toString('latin1')
    if (listing.endsWith('END\r\n')) break
  }
  return listing
}
