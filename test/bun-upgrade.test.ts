import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startServer, type ServerProcess } from './support/process.ts'

describe("Bun's server.upgrade within withSession", () => {
  let server: ServerProcess
  beforeAll(async () => {
    server = await startServer('Bun', 'test/support/bun-upgrade.ts')
  })
  afterAll(() => server?.stop())

  const ask = (path: string, cookie = '') => fetch(server.url + path, { headers: { cookie } })

  /** What a socket is told first. */
  const connect = (path: string, cookie: string) =>
    new Promise<string>((resolve, reject) => {
      const headers = {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
        cookie,
      }
      request(server.url + path, { headers })
        .once('upgrade', (_response, socket, head) => {
          const tell = (frame: Buffer) => {
            resolve(frame.subarray(2).toString())
            socket.destroy()
          }
          if (head.length > 0) tell(head)
          else socket.once('data', tell)
        })
        .once('response', ({ statusCode }) => reject(new Error(`answered with ${statusCode}`)))
        .once('error', reject)
        .end()
    })

  it('saves what the handler changed, and the socket opens', async () => {
    const refused = await ask('/socket')
    expect(refused.status).toBe(426)
    const cookie = refused.headers.getSetCookie()[0]!.split(';')[0]!
    expect(await connect('/socket', cookie)).toBe('hello')
    expect(await (await ask('/', cookie)).text()).toBe('2')
  })

  it('goes on serving when the store fails', async () => {
    const cookie = (await ask('/socket')).headers.getSetCookie()[0]!.split(';')[0]!
    expect(await connect('/socket-down', cookie)).toBe('hello')
    expect(await (await ask('/', cookie)).text()).toBe('1')
    // Bun takes no notice of a handler that fails after the upgrade; the event tells.
    await expect.poll(() => server.output()).toContain('store-error\n')
  })
})
