import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adapters } from './app.ts'
import { describeAttacks } from './attack.ts'
import { soundBuild } from './build.ts'
import { startNginx, type Nginx } from './nginx.ts'
import { startSite, type Site } from './site.ts'
import { Visitor } from './visitor.ts'

const RESPONSE_HEADERS = 'src/core/http/response-headers.ts'

let nginx: Nginx
beforeAll(async () => {
  nginx = await startNginx()
})
afterAll(() => nginx.stop())

/** What a handler says of its page. */
const policies = [undefined, 'public, max-age=60', 's-maxage=60']

describeAttacks('Who comes after a visitor through a shared cache', [
  {
    title: 'S32, S33, S34, H1, H2: asks nginx for the same pages',
    run: ({ url }: Site) => comeAfter(nginx.heedful(url), policies),
    without: [
      {
        defence: 'Vary: Cookie',
        removed: [
          {
            file: RESPONSE_HEADERS,
            piece: "headers.set('Vary', vary ? `${vary}, Cookie` : 'Cookie')",
            replacement: 'void 0',
          },
        ],
        gain: /^public, max-age=60: a stranger reads .*alice/,
      },
    ],
  },
  {
    // A page that reads its session and calls itself public is lost on such a cache: nothing but Vary can save it.
    title: 'S33, S34, H1, H2: asks an nginx that ignores Set-Cookie and Vary, and keeps what says nothing',
    run: ({ url }: Site) => comeAfter(nginx.careless(url), [undefined]),
    without: [
      {
        defence: 'Cache-Control: private on what was read',
        removed: [
          { file: RESPONSE_HEADERS, piece: "headers.set('Cache-Control', 'private')", replacement: 'void 0' },
        ],
        gain: /^nothing: a stranger reads .*alice/,
      },
      {
        defence: "no-store in place of the handler's public",
        removed: [
          {
            file: RESPONSE_HEADERS,
            piece: "if (mustNotBeStored) headers.set('Cache-Control', 'no-store')",
            replacement: 'if (mustNotBeStored) void 0',
          },
        ],
        gain: /^public, max-age=60: a stranger has her cookie after \/sign-in/,
      },
    ],
  },
])

describe('A page that does not touch its session', () => {
  it.each(adapters)('A1, H1: comes from the same cache, whoever asks (%s)', async (adapter) => {
    const { url } = await startSite(soundBuild, adapter)
    for (const cache of [nginx.heedful(url), nginx.careless(url)]) {
      const [alice, bob] = [new Visitor(cache), new Visitor(cache)]
      await alice.signIn('alice')
      await bob.signIn('bob')
      const path = pathOf('/untouched', 'public, max-age=60')
      expect((await alice.open(path)).headers.get('x-cache-status')).toBe('MISS')
      expect((await bob.open(path)).headers.get('x-cache-status')).toBe('HIT')
      expect((await new Visitor(cache).open(path)).headers.get('x-cache-status')).toBe('HIT')
    }
  })
})

/** Pages that set or clear the cookie are asked for under every policy, those that only read under some. */
async function comeAfter(cache: string, readPolicies: (string | undefined)[]): Promise<string[]> {
  const gains: string[] = []
  const bob = new Visitor(cache)
  await bob.signIn('bob')
  for (const policy of policies) {
    const gain = (what: string) => void gains.push(`${policy ?? 'nothing'}: ${what}`)
    for (const path of ['/set?key=card&value=4111', '/sign-in?user=alice']) {
      const [alice, stranger] = [new Visitor(cache), new Visitor(cache)]
      await alice.open(pathOf(path, policy))
      await stranger.open(pathOf(path, policy))
      if (stranger.cookie === alice.cookie) gain(`a stranger has her cookie after ${path}`)
    }
    const alice = new Visitor(cache)
    await alice.signIn('alice')
    if (readPolicies.includes(policy)) {
      const path = pathOf('/all', policy)
      await alice.open(path)
      for (const { name, visitor } of [
        { name: 'a stranger', visitor: new Visitor(cache) },
        { name: 'bob', visitor: bob },
      ]) {
        const { body } = await visitor.open(path)
        if (body.includes('alice')) gain(`${name} reads ${body}`)
      }
    }
    const path = pathOf('/sign-out', policy)
    const { cookie } = alice
    await alice.open(path)
    const again = await new Visitor(cache, cookie).open(path)
    if (again.headers.get('x-cache-status') === 'HIT') gain('a sign-out never reaches the application')
  }
  return gains
}

function pathOf(path: string, policy: string | undefined): string {
  if (policy === undefined) return path
  return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams({ cache: policy })}`
}
