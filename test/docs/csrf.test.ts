import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { app as honoApp } from './csrf/hono.ts'
import { app as koaApp } from './csrf/koa.ts'

const guide = readFileSync('docs/csrf.md', 'utf8')

describe('docs/csrf.md', () => {
  it('shows no code but that of files which the tests run', () => {
    const shown = [...guide.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code)
    const files = ['test/docs/csrf/hono.ts', 'examples/node/same-origin-only.ts', 'test/docs/csrf/koa.ts']
    expect(shown).toEqual(files.map((file) => readFileSync(file, 'utf8')))
    expect(guide.match(/```\w+/g)).toHaveLength(files.length)
  })
})

describe.each([
  ['hono.ts', getRequestListener(honoApp.fetch), 200],
  ['koa.ts', koaApp.callback(), 403],
])('%s', (_, listener, statusOfUnnamedJson) => {
  const server = createServer(listener)
  let origin: string
  beforeAll(async () => {
    koaApp.silent = true
    await once(server.listen(0, '127.0.0.1'), 'listening')
    origin = `http://localhost:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => void server.close())

  const order = async (
    headers: Record<string, string>,
    contentType = 'application/x-www-form-urlencoded',
  ) => {
    const init = { method: 'POST', headers: { ...headers, 'Content-Type': contentType }, body: 'item=rope' }
    const { status } = await fetch(`${origin}/order`, init)
    return status
  }

  it('goes by Sec-Fetch-Site', async () => {
    expect(await order({ 'Sec-Fetch-Site': 'same-origin' })).toBe(200)
    for (const site of ['same-site', 'cross-site', 'none', 'Same-Origin', 'same-origin, cross-site']) {
      expect(await order({ 'Sec-Fetch-Site': site, Origin: 'http://blog.localhost' }), site).toBe(403)
    }
  })

  it('goes by Origin where there is no Sec-Fetch-Site', async () => {
    expect(await order({ Origin: origin })).toBe(200)
    for (const other of ['http://localhost', `${origin}0`, origin.replace('http', 'https'), 'null']) {
      expect(await order({ Origin: other }), other).toBe(403)
    }
  })

  it('refuses a form that names neither', async () => {
    expect(await order({})).toBe(403)
    expect(await order({}, 'text/plain')).toBe(403)
    expect(await order({}, 'application/json')).toBe(statusOfUnnamedJson)
  })
})
