import { connect, type Socket } from 'node:net'

interface Reply {
  value: Buffer
  version: Buffer
}

const HEADER_BYTES = 24

/**
 * The least that a client of memcached's binary protocol can do: it trusts that replies come, whole or in parts, in
 * order, and that each is a success. One write for all requests of an event-loop turn.
 */
export class RawClient {
  readonly #socket: Socket
  readonly #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = []
  #oldest = 0
  #outgoing: Buffer[] = []
  #rest: Buffer | undefined

  constructor(address: string) {
    const [host, port] = address.split(':') as [string, string]
    this.#socket = connect({ host, port: Number(port), noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk))
  }

  getAndTouch(key: string, ttl: number): Promise<Reply> {
    const request = this.#request(0x1d, key, 4, 0)
    request.writeUInt32BE(ttl, HEADER_BYTES)
    return this.#ask(request)
  }

  set(key: string, bytes: Buffer, ttl: number): Promise<Reply> {
    return this.#ask(this.#storage(0x01, key, bytes, ttl))
  }

  replace(key: string, bytes: Buffer, ttl: number, version: Buffer): Promise<Reply> {
    const request = this.#storage(0x03, key, bytes, ttl)
    version.copy(request, 16)
    return this.#ask(request)
  }

  close(): void {
    this.#socket.destroy()
  }

  #storage(opcode: number, key: string, bytes: Buffer, ttl: number): Buffer {
    const request = this.#request(opcode, key, 8, bytes.length)
    request.writeUInt32BE(ttl, HEADER_BYTES + 4)
    bytes.copy(request, request.length - bytes.length)
    return request
  }

  #request(opcode: number, key: string, extrasLength: number, valueLength: number): Buffer {
    const request = Buffer.allocUnsafe(HEADER_BYTES + extrasLength + key.length + valueLength)
    request.fill(0, 0, HEADER_BYTES + extrasLength)
    request[0] = 0x80
    request[1] = opcode
    request.writeUInt16BE(key.length, 2)
    request[4] = extrasLength
    request.writeUInt32BE(request.length - HEADER_BYTES, 8)
    request.write(key, HEADER_BYTES + extrasLength, 'latin1')
    return request
  }

  #ask(request: Buffer): Promise<Reply> {
    if (this.#outgoing.push(request) === 1) setImmediate(() => this.#flush())
    return new Promise((resolve, reject) => void this.#waiting.push({ resolve, reject }))
  }

  #flush(): void {
    this.#socket.write(this.#outgoing.length === 1 ? this.#outgoing[0]! : Buffer.concat(this.#outgoing))
    this.#outgoing = []
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk
    let start = 0
    while (bytes.length - start >= HEADER_BYTES) {
      const end = start + HEADER_BYTES + bytes.readUInt32BE(start + 8)
      if (bytes.length < end) break
      const { resolve, reject } = this.#waiting[this.#oldest++]!
      const status = bytes.readUInt16BE(start + 6)
      const value = bytes.subarray(start + HEADER_BYTES + bytes[start + 4]!, end)
      if (status === 0) resolve({ value, version: bytes.subarray(start + 16, start + HEADER_BYTES) })
      else reject(new Error(`memcached refused: status ${status}`))
      start = end
    }
    this.#rest = start < bytes.length ? bytes.subarray(start) : undefined
    // Not shifted one by one, which would move the others each time.
    if (this.#oldest < this.#waiting.length) return
    this.#waiting.length = 0
    this.#oldest = 0
  }
}
