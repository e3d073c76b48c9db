import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MemoryStore } from 'holdfast'
import { sessionStoreContract } from 'holdfast/testing'
import { startWorkerd, type Workerd } from './workerd.ts'

const clauses = sessionStoreContract(() => new MemoryStore()).map(({ name }) => name)

describe('workerd without Node', () => {
  let workerd: Workerd
  beforeAll(async () => {
    workerd = await startWorkerd()
  })
  afterAll(() => workerd?.stop())

  /** A browser that keeps the session cookie. */
  function browser() {
    const jar = { cookie: '' }
    const get = async (path: string, of = '') => {
      const response = await fetch(`${workerd.url}${path}?of=${encodeURIComponent(of)}`, {
        redirect: 'manual',
        headers: { cookie: jar.cookie },
        signal: AbortSignal.timeout(10_000),
      })
      const [setCookie] = response.headers.getSetCookie()
      if (setCookie) jar.cookie = setCookie.includes('Max-Age=0') ? '' : setCookie.split(';')[0]!
      return { status: response.status, headers: response.headers, body: await response.text(), setCookie }
    }
    return { jar, get }
  }

  it('has none of its globals', async () => {
    expect((await browser().get('/globals')).body).toBe('[]')
  })

  it.each(clauses)('MemoryStore: %s', async (name) => {
    expect((await browser().get('/clause', name)).body).toBe('kept')
  })

  it('A1: an untouched request has no cookie and no header', async () => {
    const { headers, setCookie } = await browser().get('/globals')
    expect([setCookie, headers.get('vary'), headers.get('cache-control')]).toEqual([undefined, null, null])
  })

  it('signs in, keeps the session and signs out', async () => {
    const { jar, get } = browser()
    expect((await get('/count')).body).toBe('1')
    const before = jar.cookie
    const signedIn = await get('/sign-in', 'u1')
    expect([signedIn.status, signedIn.headers.get('cache-control')]).toEqual([303, 'no-store'])
    expect(jar.cookie).not.toBe(before)
    expect([(await get('/who')).body, (await get('/count')).body]).toEqual(['"u1"', '2'])
    const stolen = jar.cookie
    expect((await get('/sign-out')).setCookie).toContain('Max-Age=0')
    for (const cookie of [before, stolen]) {
      jar.cookie = cookie
      expect((await get('/who')).body).toBe('"nobody"')
    }
  })

  it('E9: listSessions lists, and revokeAll ends, every session of a user', async () => {
    const browsers = [browser(), browser()]
    for (const { get } of browsers) await get('/sign-in', 'u2')
    expect((await browsers[0]!.get('/devices', 'u2')).body).toMatch(/^\[(true,false|false,true)\]$/)
    await browser().get('/sign-out-everywhere', 'u2')
    for (const { get } of browsers) expect((await get('/who')).body).toBe('"nobody"')
  })

  it('E3: 50 parallel requests that add 1 to one session add 50', async () => {
    const { get } = browser()
    await get('/count')
    const counts = await Promise.all(Array.from({ length: 50 }, () => get('/count')))
    expect(counts.map(({ status }) => status)).toEqual(Array(50).fill(200))
    expect((await get('/count')).body).toBe('52')
  })

  it('a write after the response was committed throws', async () => {
    const { get } = browser()
    await get('/count')
    expect((await get('/too-late')).body).toBe('ERR_SESSION_COMMITTED')
  })

  it('says nothing of what went wrong', () => {
    expect(workerd.output()).toBe('')
  })
})
