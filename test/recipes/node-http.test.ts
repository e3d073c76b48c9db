import { once } from 'node:events'
import * as http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Session, SessionManager } from 'holdfast'
import { session } from 'holdfast/node'
import { makeAuthority, type Authority } from '../support/certificates.ts'
import { countsViewsAndSignsIn, listen } from '../support/recipes.ts'
import { failing } from '../support/tampered-store.ts'
import { begin, sessionOf, type Data } from '../support/user-with-messages.ts'
import { server } from './node-http/node-http.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

describe('node:http', () => {
  it('counts views, signs in under a new token, and out', async () => {
    const url = await listen(server)
    await countsViewsAndSignsIn((path, init) => fetch(url + path, init))
  })

  it('signs nobody in or out by GET, which a link of another site may ask', async () => {
    const url = await listen(server)
    for (const path of ['/login', '/logout']) {
      const { status, headers } = await fetch(url + path, { redirect: 'manual' })
      expect([status, headers.getSetCookie()]).toEqual([404, []])
    }
  })
})

describe.each(['http:', 'https:'])('http2 by %s', (scheme) => {
  let authority: Authority
  beforeAll(async () => {
    authority = await makeAuthority()
  })
  afterAll(() => authority.remove())

  type Handler = (session: Session<Data>, response: http2.Http2ServerResponse) => unknown

  async function serveHttp2(manager: SessionManager<Data>, handler: Handler) {
    const failures: unknown[] = []
    const sessions = session(manager, { onError: (error) => failures.push(error) })
    const listener = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
      sessions(request, response, async (error) => {
        try {
          if (error) throw error
          await handler(sessionOf(request) as unknown as Session<Data>, response)
        } catch (thrown) {
          failures.push(thrown)
        }
      })
    }
    const server =
      scheme === 'http:'
        ? http2.createServer(listener)
        : http2.createSecureServer(await authority.sign(['shop.example', 'localhost']), listener)
    server.listen(0, 'localhost')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const client = http2.connect(`${scheme}//localhost:${port}`, { ca: authority.cert })
    ends.push(() => {
      client.destroy()
      server.close()
    })
    const ask = async (headers: http2.OutgoingHttpHeaders = {}) => {
      const stream = client.request({ ':path': '/', ...headers })
      const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
      stream.setEncoding('utf8')
      let body = ''
      for await (const chunk of stream) body += chunk
      return { status: answer[':status'], headers: answer, body }
    }
    return { ask, client, failures }
  }

  it('D11: sessions begin, are read and written, and nobody is warned of a cookie that arrives', async () => {
    const { manager, events } = await begin()
    const { ask, failures } = await serveHttp2(manager, async (session, response) => {
      const messages = await session.update('messages', (n = 0) => n + 1)
      response.writeHead(200, { 'content-type': 'text/plain' })
      response.write('message ')
      response.end(String(messages))
    })
    const { status, headers, body } = await ask()
    expect([status, body]).toEqual([200, 'message 1'])
    expect(headers['set-cookie']).toHaveLength(1)
    const cookie = headers['set-cookie']![0]!.split(';')[0]
    expect((await ask({ cookie })).body).toBe('message 2')
    expect(events).not.toContain('insecure-cookie')
    expect(failures).toEqual([])
  })

  it('D6: a Secure cookie is told of where the scheme is http and the authority not local', async () => {
    const { manager, events } = await begin()
    const { ask } = await serveHttp2(manager, (session, response) => {
      session.set('messages', 1)
      response.end()
    })
    await ask({ ':authority': 'shop.example', ':scheme': 'https' })
    expect(events).not.toContain('insecure-cookie')
    await ask({ ':authority': 'shop.example' })
    expect(events.includes('insecure-cookie')).toBe(scheme === 'http:')
  })

  it('D8: a commit that fails is a plain 503, or a 500 where data is at fault, without a warning', async () => {
    const warnings: Error[] = []
    const note = (warning: Error) => warnings.push(warning)
    process.on('warning', note)
    ends.push(() => process.off('warning', note))
    const { manager, store, cookie } = await begin()
    const values: unknown[] = [1, new Map()]
    const { ask, failures } = await serveHttp2(manager, (session, response) => {
      session.set('messages', values.shift() as number)
      response.writeHead(200, { etag: '"abc"' }).end('the answer')
    })
    store.before = failing('replace', 9)
    const outage = await ask({ cookie })
    expect([outage.status, outage.body, outage.headers.etag]).toEqual([503, 'Service Unavailable', undefined])
    expect(failures).toEqual([])
    const mistake = await ask({ cookie })
    expect([mistake.status, mistake.body]).toEqual([500, 'Internal Server Error'])
    expect(failures).toEqual([expect.objectContaining({ code: 'ERR_SESSION_NOT_SERIALIZABLE' })])
    expect(warnings).toEqual([])
  })

  it('F6: a visitor who leaves, before the answer or during the save, hurts nobody', async () => {
    const { manager, store, cookie, read } = await begin()
    for (const leavesDuring of ['the handler', 'the save'] as const) {
      const { client, failures } = await serveHttp2(manager, async (session, response) => {
        const closed = once(response, 'close')
        const leave = async () => {
          stream.close(http2.constants.NGHTTP2_CANCEL)
          await closed
        }
        session.set('messages', leavesDuring.length)
        if (leavesDuring === 'the handler') await leave()
        else store.before = (operation) => (operation === 'replace' ? leave() : undefined)
        response.writeHead(200, { 'content-type': 'text/plain' }).end('the answer')
      })
      const stream = client.request({ ':path': '/', cookie })
      stream.on('error', () => {})
      await expect.poll(read).toMatchObject({ messages: leavesDuring.length })
      store.forget()
      expect(failures).toEqual([])
    }
  })
})
