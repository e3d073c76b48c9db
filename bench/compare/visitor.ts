import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
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
    const { status, cookies, body } = await answer(this.#url + path, this.cookie)
    if (status !== 200) throw new Error(`${path} was answered with ${status}: ${body}`)
    for (const cookie of cookies) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!
      this.#cookies.set(name!, value!)
    }
    return body
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
  assert.equal((await answer(url + paths.read, cookie)).body, 'user u1048576')
}

/** Tries again, since a library may refuse what a machine that stood still kept it from in time, and this is not measured. */
export async function signIn(url: string, path: string = paths.signIn, attempts = 3): Promise<Visitor> {
  const visitor = new Visitor(url)
  try {
    await visitor.get(path)
    return visitor
  } catch (error) {
    if (attempts === 1) throw error
    return signIn(url, path, attempts - 1)
  }
}

/** By node:http, which takes a third of the CPU that fetch does: there are many to sign in. */
async function answer(
  url: string,
  cookie: string,
): Promise<{ status: number | undefined; cookies: readonly string[]; body: string }> {
  const request = get(url, { agent, headers: cookie === '' ? {} : { Cookie: cookie } })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const cookies = response.headers['set-cookie'] ?? []
  return { status: response.statusCode, cookies, body: await text(response) }
}

const agent = new Agent({ keepAlive: true })
