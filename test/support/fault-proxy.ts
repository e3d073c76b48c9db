import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'

/** What happens to the bytes of the server on their way back; requests always arrive. */
export type Fault =
  | { type: 'none' }
  /** Replies come so much later. */
  | { type: 'latency'; ms: number }
  /** Replies are held until another fault is set; connections stay open. */
  | { type: 'stall' }
  /**
   * Once, so many bytes of replies after it was set: closes or resets the connection that carried the last of them and
   * turns into `next` (none unless given), or turns into a stall.
   */
  | { type: 'cut'; after: number; by: 'close' | 'reset' | 'stall'; next?: Fault }
  /** Replies come one byte at a time. */
  | { type: 'chunks' }
  /** These bytes come in place of the server's. */
  | { type: 'garbage'; replace: (bytes: Buffer) => Uint8Array }
  /** Once: the next reply, all of it, is lost. To be set between two replies. `lengthOf` its first bytes; as memcached frames it. */
  | { type: 'swallow'; lengthOf?: (bytes: Buffer) => number }
  /** Connections are reset, those that are open and those to come. */
  | { type: 'refuse' }

/** A network between a store and a real server, as bad as a test wants it to be. */
export interface FaultProxy {
  port: number
  /** `memcached://127.0.0.1:port` */
  address: string
  /** Holds for what flows from now on. One that strikes once takes itself away. */
  fault: Fault
  /** Bytes of replies that were let through since the fault was set. */
  readonly delivered: number
  /** Connections accepted so far. */
  connections: number
  /** The store's ends of those that are open. */
  sockets: Set<Socket>
  close(): Promise<void>
}

export async function startFaultProxy(target: { port: number }): Promise<FaultProxy> {
  let fault: Fault = { type: 'none' }
  let delivered = 0
  const stalled: (() => void)[] = []

  const server = createServer((socket) => {
    proxy.connections++
    proxy.sockets.add(socket)
    socket.setNoDelay().on('error', () => {})
    const upstream = connect(target.port, '127.0.0.1').setNoDelay()
    socket.on('data', (bytes) => upstream.write(bytes))
    socket.on('close', () => {
      proxy.sockets.delete(socket)
      upstream.destroy()
    })
    const deliver = deliveryTo(socket)
    let deliveries = Promise.resolve()
    upstream.on('data', (bytes: Buffer) => {
      const arrival = performance.now()
      deliveries = deliveries.then(() => deliver(bytes, arrival))
    })
    upstream.on('error', () => socket.destroy())
    upstream.on('close', () => deliveries.then(() => socket.end()))
    if (fault.type === 'refuse') socket.resetAndDestroy()
  })

  function deliveryTo(socket: Socket): (bytes: Buffer, arrival: number) => Promise<void> {
    let swallowed = Buffer.alloc(0)

    function write(bytes: Uint8Array): void {
      delivered += bytes.length
      socket.write(bytes)
    }

    return async function deliver(bytes, arrival) {
      while (fault.type === 'stall') await new Promise<void>((resolve) => stalled.push(resolve))
      if (!socket.writable) return
      switch (fault.type) {
        case 'none':
          return write(bytes)
        case 'latency':
          await sleep(arrival + fault.ms - performance.now())
          return write(bytes)
        case 'cut': {
          const { after, by, next } = fault
          const left = after - delivered
          if (bytes.length < left) return write(bytes)
          write(bytes.subarray(0, left))
          proxy.fault = by === 'stall' ? { type: 'stall' } : (next ?? { type: 'none' })
          if (by === 'stall') return deliver(bytes.subarray(left), arrival)
          await hasBeenRead()
          return void (by === 'close' ? socket.end() : socket.resetAndDestroy())
        }
        case 'chunks':
          for (const byte of bytes) {
            write(Buffer.of(byte))
            await hasBeenRead()
          }
          return undefined
        case 'garbage':
          return write(fault.replace(bytes))
        case 'swallow': {
          swallowed = Buffer.concat([swallowed, bytes])
          const end = (fault.lengthOf ?? lengthInMemcached)(swallowed)
          if (swallowed.length < end) return undefined
          proxy.fault = { type: 'none' }
          return write(swallowed.subarray(end))
        }
        case 'refuse':
      }
    }
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const proxy: FaultProxy = {
    port,
    address: `memcached://127.0.0.1:${port}`,
    get fault() {
      return fault
    },
    set fault(next) {
      fault = next
      delivered = 0
      for (const resume of stalled.splice(0)) resume()
      if (fault.type === 'refuse') for (const socket of proxy.sockets) socket.resetAndDestroy()
    },
    get delivered() {
      return delivered
    },
    connections: 0,
    sockets: new Set(),
    async close() {
      for (const socket of proxy.sockets) socket.destroy()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}

/** Of a reply in memcached's binary protocol; `Infinity` while it cannot be told. */
function lengthInMemcached(bytes: Buffer): number {
  return bytes.length < 24 ? Infinity : 24 + bytes.readUInt32BE(8)
}

/** Of a reply that is a string, a number, nothing or an error, in RESP. */
export function lengthInRedis(bytes: Buffer): number {
  const head = bytes.indexOf('\r\n') + 2
  if (head < 2) return Infinity
  const length = bytes[0] === 0x24 ? Number(bytes.toString('latin1', 1, head - 2)) : -1
  return length < 0 ? head : head + length + 2
}

/**
 * A store in this process has then read what was written: one turn may be under way with its sockets already polled,
 * the next polls them. What follows at once would be read together with it, and a reset would look like an end.
 */
async function hasBeenRead(): Promise<void> {
  await nextTurn()
  await nextTurn()
}
