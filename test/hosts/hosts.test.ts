import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serve, type Served } from '../package/served.ts'
import { Browser, type Answer } from '../support/browser.ts'
import type { Received } from '../support/response-rules.ts'
import { startMemcached, type Memcached } from '../support/memcached.ts'
import { secret } from '../support/stores.ts'
import { prepareProjects, say, type Projects } from './project.ts'

interface Host {
  folders: string[]
  /** Builds it, and compiles what the build itself does not. */
  build: string
  /** The program that serves it, of its folder, and its arguments. */
  server: string[]
  /** Counts a view; the page that says so. */
  count(browser: Browser, url: string): Promise<Answer>
  signIn(browser: Browser, url: string): Promise<Answer>
  /** By a form of a page of this origin, by default its own. */
  signOut(browser: Browser, url: string, origin?: string): Promise<Answer>
  /** What it answers to one of another origin, and who is signed in afterwards. */
  forged: [status: number, user: 'u1' | 'nobody']
  /** Default: as every adapter's. */
  rules?: ConstructorParameters<typeof Browser>[0]
  /** What a page answers whose session cannot be read. */
  outage: number
  /** What else it does without a store. */
  inOutage?: (url: string) => Promise<void>
  /** What it alone has. */
  more?: (open: () => Browser, url: () => string) => void
}

/** Well formed, and of no session. */
const nobodys = `__Host-session=${'A'.repeat(43)}`

const hosts: Record<string, Host> = {
  'Next 16': {
    folders: ['test/hosts/created/next', 'test/recipes/next'],
    build: 'npx next build',
    server: ['../node_modules/next/dist/bin/next', 'start'],
    count: (browser, url) => press(browser, url, 'Count'),
    signIn: (browser, url) => press(browser, url, 'Sign in'),
    signOut: (browser, url, origin) => press(browser, url, 'Sign out', origin),
    forged: [500, 'u1'],
    // Next has a way of its own with cookies and with caches, which are told to store nothing.
    rules: { fetch: async (url, init) => received(await fetch(url, { redirect: 'manual', ...init })) },
    outage: 500,
    async inOutage(url) {
      const init = { method: 'POST', headers: { cookie: nobodys } }
      expect(await (await fetch(`${url}/fails`, init)).text()).toBe("the handler's own")
    },
    more(open, url) {
      it('takes no session out of the value of another cookie, which Next decodes', async () => {
        const { headers } = await press(open(), url(), 'Sign in')
        const [pair = ''] = headers.getSetCookie()[0]!.split(';')
        const opened = (cookie: string) => open().fetch(url(), { headers: { cookie } })
        expect(seen(await opened(pair))).toBe('view 0 of u1')
        expect(seen(await opened(`x=${encodeURIComponent(`; ${pair}`)}`))).toBe('view 0 of nobody')
      })

      it('keeps what a route handler did that returns its redirect, and drops it of one that throws it', async () => {
        const browser = open()
        for (const view of [1, 2]) expect((await browser.fetch(`${url()}/views`)).html).toBe(`view ${view}`)
        expect((await browser.fetch(`${url()}/redirects`)).status).toBe(303)
        expect((await browser.fetch(`${url()}/redirects?thrown`)).status).toBe(307)
        expect(seen(await browser.open(url()))).toBe('view 3 of nobody')
      })

      it('shows after an action what it did, with JavaScript too', async () => {
        const browser = open()
        await press(browser, url(), 'Count')
        const action = await actionOf(browser, url(), 'Count')
        const headers = { Origin: url(), 'Next-Action': action.replace('$ACTION_ID_', '') }
        const answer = await browser.fetch(url(), { method: 'POST', body: '[]', headers })
        expect(seen(answer)).toBe('view 2 of nobody')
      })
    },
  },
  'SvelteKit 2': {
    folders: ['test/hosts/created/sveltekit', 'test/recipes/sveltekit'],
    build: 'npx vite build && npx tsc',
    server: ['build'],
    count: (browser, url) => browser.open(url),
    signIn: (browser, url) => send(browser, url, '/?/login'),
    signOut: (browser, url, origin) => send(browser, url, '/?/logout', origin),
    forged: [403, 'u1'],
    outage: 500,
  },
  'Nitro 2': {
    folders: ['test/hosts/created/nitro'],
    build: 'npx nitropack build && npx tsc --noEmit',
    server: ['.output/server/index.mjs'],
    count: (browser, url) => browser.open(url),
    signIn: (browser, url) => send(browser, url, '/login'),
    signOut: (browser, url, origin) => send(browser, url, '/logout', origin),
    // It looks at no Origin: that is left to SameSite, and to docs/csrf.md.
    forged: [303, 'nobody'],
    outage: 503,
  },
}

let projects: Projects
beforeAll(async () => {
  projects = await prepareProjects()
}, 240_000)
afterAll(() => projects?.remove())

describe.each(Object.entries(hosts))('%s', { timeout: 30_000 }, (name, host) => {
  const open = () => new Browser(host.rules)
  let memcached: Memcached
  let served: Served
  let url: string
  beforeAll(async () => {
    const project = await projects.begin(name.replace(' ', '-').toLowerCase(), ...host.folders)
    await say(host.build, project)
    memcached = await startMemcached()
    served = await serve(project, [process.execPath, ...host.server], (ORIGIN) => ({
      ORIGIN,
      NODE_ENV: 'production',
      SESSION_STORE: memcached.address,
      SESSION_SECRET: secret,
    }))
    url = served.url
  }, 240_000)
  afterAll(async () => {
    await served?.stop()
    await memcached?.stop()
  })

  it('counts views, signs in under a new token, and out', async () => {
    const browser = open()
    for (const view of [1, 2]) expect(seen(await host.count(browser, url))).toBe(`view ${view} of nobody`)
    const before = browser.copy()
    await host.signIn(browser, url)
    expect(seen(await host.count(browser, url))).toBe('view 3 of u1')
    expect(seen(await before.open(url))).not.toContain('u1')
    await host.signOut(browser, url)
    expect(await browser.cookies(url)).toEqual([])
    expect(seen(await host.count(browser, url))).toBe('view 1 of nobody')
  })

  it('E3: twenty requests at once count twenty views', async () => {
    const browser = open()
    await host.count(browser, url)
    await Promise.all(Array.from({ length: 20 }, () => host.count(browser, url)))
    expect(seen(await host.count(browser, url))).toBe('view 22 of nobody')
  })

  it('treats a form of another site as its guide says', async () => {
    const browser = open()
    await host.signIn(browser, url)
    const [status, user] = host.forged
    expect((await host.signOut(browser, url, 'https://evil.example')).status).toBe(status)
    expect(seen(await host.count(browser, url))).toBe(`view 1 of ${user}`)
  })

  host.more?.(open, () => url)

  it('F1: a store that is gone signs nobody out', async () => {
    await memcached.stop()
    const { status, headers } = await fetch(url, { headers: { cookie: nobodys } })
    expect([status, headers.getSetCookie()]).toEqual([host.outage, []])
    await host.inOutage?.(url)
    const { port } = memcached
    memcached = await startMemcached({ port })
  })
})

async function received(response: Response): Promise<Received> {
  const { status, headers } = response
  if (headers.getSetCookie().length > 0) expect(headers.get('Cache-Control')).toContain('no-store')
  return { status, headers, body: await response.text(), setCookie: undefined }
}

function seen({ html }: Answer): string | undefined {
  return /view \d+ of \w+/.exec(html)?.[0]
}

function send(browser: Browser, url: string, path: string, origin = url): Promise<Answer> {
  return browser.fetch(url + path, {
    method: 'POST',
    body: new URLSearchParams(),
    headers: { Origin: origin },
  })
}

/** As a browser without JavaScript does it: the button's name says which action. */
async function press(browser: Browser, url: string, label: string, origin = url): Promise<Answer> {
  const body = new FormData()
  body.set(await actionOf(browser, url, label), '')
  return browser.fetch(url, { method: 'POST', body, headers: { Origin: origin } })
}

async function actionOf(browser: Browser, url: string, label: string): Promise<string> {
  const { html } = await browser.open(url)
  return new RegExp(`name="(\\$ACTION_ID_\\w+)"[^>]*>${label}<`).exec(html)![1]!
}
