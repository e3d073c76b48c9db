import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { browser, countsViewsAndSignsIn, serveInBun } from '../support/recipes.ts'

describe('Bun', () => {
  let server: Awaited<ReturnType<typeof serveInBun>>
  beforeAll(async () => {
    server = await serveInBun('test/recipes/bun/bun.ts')
  })
  afterAll(() => server?.stop())

  const ask = (path: string, init?: RequestInit) => fetch(server.url + path, init)

  it('counts views, signs in under a new token, and out', async () => {
    await countsViewsAndSignsIn(ask)
  })

  it('hands on the parameters of a route, and leaves a static one alone', async () => {
    const visit = browser(ask)
    await visit('/')
    expect((await visit('/hello/Ada')).body).toBe('hello, Ada, after 1 views')
    const { body, headers } = await visit('/health')
    expect([body, headers.get('Vary')]).toEqual(['well', null])
  })

  it('answers with text, as without sessions', async () => {
    expect((await ask('/')).headers.get('Content-Type')).toBe('text/plain;charset=utf-8')
  })
})

describe('A sign-out, on Bun', () => {
  it('ends the stream and the socket of who sends nothing, at the next heartbeat', async () => {
    const { url, stop } = await serveInBun('test/recipes/bun/sign-out-noticed.ts', { HEARTBEAT_MS: '50' })
    onTestFinished(stop)
    const signIn = await fetch(`${url}/login`, { method: 'POST' })
    const headers = { cookie: signIn.headers.getSetCookie().join('; ') }
    expect((await fetch(`${url}/events`)).status).toBe(401)
    const events = (await fetch(`${url}/events`, { headers })).text()
    const connect = (origin: string) =>
      new WebSocket(`${url.replace('http', 'ws')}/socket`, { headers: { ...headers, origin } })
    expect((await once(connect('https://evil.example'), 'error'))[0].message).toMatch('403')
    const socket = connect(url)
    await once(socket, 'open')
    await fetch(`${url}/logout`, { method: 'POST', headers })
    expect((await once(socket, 'close'))[0]).toBe(4401)
    expect(await events).toMatch(/^(event: heartbeat\ndata:\n\n)+event: signed-out\ndata:\n\n$/)
    expect((await fetch(`${url}/events`, { headers })).status).toBe(401)
  })
})
