import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, vi } from 'vitest'
import { freePort } from './free-port.ts'
import { endWithTests } from './running.ts'

/** Serves it until the test is over. */
export async function listen(listener: RequestListener | Server): Promise<string> {
  const server = typeof listener === 'function' ? createServer(listener) : listener
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://localhost:${(server.address() as AddressInfo).port}`
}

/** A program for Bun, which listens on `PORT` and says by that that it is up. */
export async function serveInBun(
  program: string,
  environment: Record<string, string> = {},
): Promise<{ url: string; stop: () => void }> {
  const port = await freePort()
  const child = spawn('test/runtimes/node_modules/.bin/bun', [program], {
    env: { ...process.env, ...environment, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  endWithTests(child)
  const url = `http://localhost:${port}`
  const isOver = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${program} ended before it was up: ${code ?? signal}`)
  })
  await Promise.race([vi.waitFor(() => fetch(`${url}/nowhere`), { timeout: 10_000 }), isOver])
  return { url, stop: () => void child.kill() }
}

/** As one browser asks: with the cookie that the last answer set. */
export function browser(ask: (path: string, init: RequestInit) => Response | Promise<Response>) {
  let cookie = ''
  return async (path: string, method = 'GET') => {
    const response = await ask(path, { method, redirect: 'manual', headers: { cookie } })
    const [setCookie] = response.headers.getSetCookie()
    cookie = setCookie?.split(';')[0] ?? cookie
    return { status: response.status, headers: response.headers, cookie, body: await response.text() }
  }
}

/** What the smallest program of every page does. */
export async function countsViewsAndSignsIn(
  ask: (path: string, init: RequestInit) => Response | Promise<Response>,
): Promise<void> {
  const visit = browser(ask)
  for (const view of [1, 2, 3]) expect((await visit('/')).body).toBe(`view ${view}`)
  const anonymous = (await visit('/')).cookie
  const signedIn = await visit('/login', 'POST')
  expect(signedIn.status).toBe(302)
  expect(signedIn.cookie).not.toBe(anonymous)
  expect((await visit('/')).body).toBe('view 5')
  const signedOut = await visit('/logout', 'POST')
  expect(signedOut.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-session=; .*Max-Age=0/)])
  expect((await visit('/')).body).toBe('view 1')
}
