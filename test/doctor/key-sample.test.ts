import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { sampleKeys } from '../../src/doctor/key-sample.ts'
import { useServers } from '../support/servers.ts'

const { onEnd } = useServers()

// What it finds in a real memcached is in doctor.test.ts.
describe('sampleKeys', () => {
  const addressOf = async (onConnection: (socket: Socket) => void) => ({
    host: '127.0.0.1',
    port: await listen(createServer((socket) => onConnection(socket.on('error', () => {})))),
  })

  it('stops a listing that does not end, by its bytes', async () => {
    const lines = `key=session%3A${'k'.repeat(43)} exp=-1\n`.repeat(1000)
    const address = await addressOf((socket) => {
      const send = () => void (socket.writable && socket.write(lines, send))
      send()
    })
    const { looked, foreign, isComplete } = await sampleKeys(address, 'session:')
    expect({ foreign, isComplete }).toEqual({ foreign: 0, isComplete: false })
    expect(looked).toBeGreaterThan(50_000)
    expect(looked).toBeLessThan(150_000)
  })

  it('stops one that stalls, by its time, and keeps what came', async () => {
    const address = await addressOf((socket) => void socket.write('key=a exp=-1\nkey=b exp=-1\nkey=cut'))
    const start = performance.now()
    expect(await sampleKeys(address, 'session:')).toEqual({ looked: 2, foreign: 2, isComplete: false })
    expect(performance.now() - start).toBeLessThan(3000)
  })

  it.each<[string, (socket: Socket) => unknown, RegExp]>([
    ['that is silent', () => {}, /did not answer/],
    ['that hangs up', (socket) => socket.end(), /did not answer/],
    ['that resets', (socket) => socket.resetAndDestroy(), /ECONNRESET|did not answer/],
    [
      'that is busy',
      (socket) => socket.write('BUSY currently processing crawler request\r\n'),
      /refused: BUSY/,
    ],
  ])('rejects with what became of a server %s', async (_, onConnection, reason) => {
    await expect(sampleKeys(await addressOf(onConnection), 'session:')).rejects.toThrow(reason)
  })
})

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => void sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onEnd(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
