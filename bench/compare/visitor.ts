import assert from 'node:assert/strict'
import { paths } from '../lib/servers/listening.ts'

/** A browser, as far as sessions need one. */
export class Visitor {
  readonly #url: string
  readonly #cookies = new Map<string, string>()

  constructor(url: string) {
    this.#url = url
  }

  /** What it sends in its Cookie header. */
  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  /** Throws for anything but success. */
  async get(path: string): Promise<string> {
    const response = await fetch(this.#url + path, {
      headers: this.#cookies.size > 0 ? { Cookie: this.cookie } : {},
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${path} was answered with ${response.status}: ${text}`)
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!
      this.#cookies.set(name!, value!)
    }
    return text
  }
}

/** Throws unless the server keeps sessions, one for each visitor, and keeps them in memcached. */
export async function checkSessions(url: string, forgetEverything: () => Promise<unknown>): Promise<void> {
  const [visitor, another] = [await signIn(url), await signIn(url)]
  assert.equal(await visitor.get(paths.read), 'user u1048576')
  assert.equal(await visitor.get(paths.write), 'views 2')
  assert.equal(await visitor.get(paths.write), 'views 3')
  assert.equal(await another.get(paths.write), 'views 2')
  await forgetEverything()
  assert.notEqual(await visitor.get(paths.read).catch(String), 'user u1048576')
}

/** Throws unless a visitor with this Cookie header is still signed in: a server that forgets them all is fast. */
export async function checkSignedIn(url: string, cookie: string): Promise<void> {
  const response = await fetch(url + paths.read, { headers: { Cookie: cookie } })
  assert.equal(await response.text(), 'user u1048576')
}

export async function signIn(url: string, path: string = paths.signIn): Promise<Visitor> {
  const visitor = new Visitor(url)
  await visitor.get(path)
  return visitor
}
