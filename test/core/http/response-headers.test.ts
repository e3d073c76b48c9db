import { describe, expect, it } from 'vitest'
import type { Session } from '../../../src/core/index.ts'
import { useBench } from '../../support/managers.ts'
import { openMemoryStore } from '../../support/stores.ts'
import { visit } from '../../support/visit.ts'

describe('response headers', () => {
  const bench = useBench(openMemoryStore())
  const respond = (
    handler: (session: Session) => unknown,
    headers: Record<string, string> = {},
    manager = bench.manager,
  ) => visit(manager, undefined, handler, { headers: new Headers(headers) })
  const read = (session: Session) => session.get('user')
  const write = (session: Session) => session.set('user', 'u1')

  it.each([
    [{}, 'Cookie'],
    [{ Vary: 'Accept-Encoding' }, 'Accept-Encoding, Cookie'],
    [{ Vary: 'cookie' }, 'cookie'],
    [{ Vary: 'Accept, COOKIE , Origin' }, 'Accept, COOKIE , Origin'],
    [{ Vary: 'X-Cookie' }, 'X-Cookie, Cookie'],
    [{ Vary: '*' }, '*'],
  ])('H1: Vary %o becomes %s when the session was read or written', async (before, after) => {
    for (const handler of [read, write]) {
      const { headers } = await respond(handler, before as Record<string, string>)
      expect(headers.get('Vary')).toBe(after)
    }
  })

  it('H1: Cache-Control is private where the handler set none', async () => {
    expect((await respond(read)).headers.get('Cache-Control')).toBe('private')
    const set = await respond(read, { 'Cache-Control': 'public, max-age=60' })
    expect(set.headers.get('Cache-Control')).toBe('public, max-age=60')
  })

  it('H2: with the session cookie it is no-store, and an override is told', async () => {
    for (const [cacheControl, events] of [
      ['', ['created']],
      ['private, max-age=60', ['created']],
      ['public, max-age=60', ['created', 'cache-overridden']],
      ['s-maxage=60', ['created', 'cache-overridden']],
    ] as const) {
      bench.forget()
      const { headers } = await respond(write, cacheControl ? { 'Cache-Control': cacheControl } : {})
      expect(headers.get('Cache-Control')).toBe('no-store')
      expect(bench.events()).toEqual(events)
    }
  })

  it('H1, H2: the response that clears the cookie varies with it, and is not stored', async () => {
    for (const cacheControl of ['', 'public, max-age=60']) {
      bench.forget()
      const headers = new Headers(cacheControl ? { 'Cache-Control': cacheControl } : {})
      const cookie = `__Host-session=${'m'.repeat(43)}`
      const { setCookie } = await visit(bench.manager, cookie, (session) => session.destroy(), { headers })
      expect(setCookie).toContain('Max-Age=0')
      expect([headers.get('Vary'), headers.get('Cache-Control')]).toEqual(['Cookie', 'no-store'])
      expect(bench.events()).toEqual(['unknown', ...(cacheControl ? ['cache-overridden'] : [])])
    }
  })

  it('H1, H2: cacheHeaders: false leaves them alone', async () => {
    const manager = bench.another({ cacheHeaders: false })
    const { headers } = await respond(write, { 'Cache-Control': 'public' }, manager)
    expect(headers.get('Cache-Control')).toBe('public')
    expect(headers.get('Vary')).toBeNull()
  })

  it('H3: the clearing cookie repeats name, path, domain, secure, sameSite and partitioned', async () => {
    const manager = bench.another({
      cookie: { name: 'sid', path: '/app', domain: 'shop.example', sameSite: 'none', partitioned: true },
    })
    const { setCookie } = await visit(manager, `sid=${'m'.repeat(43)}`, (session) => session.destroy())
    expect(setCookie).toBe(
      'sid=; Path=/app; Max-Age=0; Domain=shop.example; Secure; HttpOnly; SameSite=None; Partitioned',
    )
  })
})
