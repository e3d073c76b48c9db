import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
