import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

/** One request as it arrived, in memcached's binary protocol. */
export interface FakeRequest {
  opcode: number
  opaque: Buffer
  extras: Buffer
  key: string
  value: Buffer
  version: Buffer
  socket: Socket
  /** How many connections had been accepted when it came, its own included. */
  connection: number
}

/** What a reply says; everything not given is what an honest server would say. */
export interface FakeReply {
  magic?: number
  opcode?: number
  opaque?: Buffer
  status?: number
  version?: Buffer
  extras?: Buffer
  value?: Uint8Array
  keyLength?: number
  extrasLength?: number
  bodyLength?: number
}

/** A server that speaks memcached's binary protocol as badly as a test wants it to. */
export interface FakeServer {
  port: number
  address: string
  /** Everything that arrived, in order. */
  requests: FakeRequest[]
  /** Connections accepted so far. */
  connections: number
  /** Those that are open. */
  sockets: Set<Socket>
  close(): Promise<void>
}

export async function startFakeServer(onRequest: (request: FakeRequest) => void): Promise<FakeServer> {
  const server = createServer((socket) => {
    const connection = ++fake.connections
    fake.sockets.add(socket)
    socket.on('close', () => fake.sockets.delete(socket)).on('error', () => {})
    let received = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      while (received.length >= 24 && received.length >= 24 + received.readUInt32BE(8)) {
        const end = 24 + received.readUInt32BE(8)
        const request = parse(received.subarray(0, end), socket, connection)
        received = received.subarray(end)
        fake.requests.push(request)
        onRequest(request)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const fake: FakeServer = {
    port,
    address: `memcached://127.0.0.1:${port}`,
    requests: [],
    connections: 0,
    sockets: new Set(),
    async close() {
      for (const socket of fake.sockets) socket.destroy()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
  return fake
}

/** The bytes of a reply to this request: found, with version 1, unless told otherwise. */
export function replyTo(request: FakeRequest, reply: FakeReply = {}): Buffer {
  const { extras = Buffer.alloc(0), value = new Uint8Array() } = reply
  const header = Buffer.alloc(24)
  header[0] = reply.magic ?? 0x81
  header[1] = reply.opcode ?? request.opcode
  header.writeUInt16BE(reply.keyLength ?? 0, 2)
  header[4] = reply.extrasLength ?? extras.length
  header.writeUInt16BE(reply.status ?? 0, 6)
  header.writeUInt32BE(reply.bodyLength ?? extras.length + value.length, 8)
  header.set(reply.opaque ?? request.opaque, 12)
  header.set(reply.version ?? Buffer.from('0000000000000001', 'hex'), 16)
  return Buffer.concat([header, extras, value])
}

/** What an honest server that holds `value` answers to get-and-touch. */
export function foundReply(request: FakeRequest, value: Uint8Array): Buffer {
  return replyTo(request, { extras: Buffer.alloc(4), value })
}

function parse(bytes: Buffer, socket: Socket, connection: number): FakeRequest {
  const extrasEnd = 24 + bytes.readUInt8(4)
  const keyEnd = extrasEnd + bytes.readUInt16BE(2)
  return {
    opcode: bytes.readUInt8(1),
    opaque: bytes.subarray(12, 16),
    version: bytes.subarray(16, 24),
    extras: bytes.subarray(24, extrasEnd),
    key: bytes.subarray(extrasEnd, keyEnd).toString('latin1'),
    value: bytes.subarray(keyEnd),
    socket,
    connection,
  }
}
