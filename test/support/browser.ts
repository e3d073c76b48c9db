import { CookieJar } from 'tough-cookie'
import { ResponseRules, type Received } from './response-rules.ts'

/** One answer, a redirect or a page. */
export interface Answer {
  status: number
  headers: Headers
  html: string
  /** What a reader sees: no tags, spaces folded, entities decoded. */
  text: string
}

/** A client that shows what it holds, for a test to look into, keep back or swap. */
export interface Visitor {
  /** `name=token`, as it is sent. */
  jar: { cookie: string | undefined }
  get(path: string, headers?: Record<string, string>): Promise<Received>
}

/** A visitor of one application, or of several that share sessions. Redirects are not followed. */
export function visitorOf(fetch: (path: string, init: RequestInit) => Promise<Received>): Visitor {
  const jar: Visitor['jar'] = { cookie: undefined }
  return {
    jar,
    async get(path, headers = {}) {
      const received = await fetch(path, {
        headers: { ...(jar.cookie !== undefined && { cookie: jar.cookie }), ...headers },
      })
      const { setCookie } = received
      if (setCookie !== undefined) {
        jar.cookie = setCookie.includes('Max-Age=0') ? undefined : setCookie.split(';')[0]
      }
      return received
    },
  }
}

/**
 * As much of a browser as forms and cookies need. Its jar belongs to a host, not to a port, as everywhere. Rejects what
 * breaks a rule.
 */
export class Browser {
  #jar = new CookieJar(undefined, { prefixSecurity: 'strict' })
  #rules: Pick<ResponseRules, 'fetch'>

  /** `rules`: default all that hold for sessions with timeouts of their own. */
  constructor(rules: Pick<ResponseRules, 'fetch'> = new ResponseRules({ persistent: 'either' })) {
    this.#rules = rules
  }

  /** Another browser with the cookies that this one holds now. */
  copy(): Browser {
    const copy = new Browser(this.#rules)
    copy.#jar = this.#jar.cloneSync()!
    return copy
  }

  /** Loads a page; redirects are followed. */
  open(url: string): Promise<Answer> {
    return this.#follow(url, this.fetch(url))
  }

  /** Sends a form and follows the redirect that answers it. */
  submit(url: string, fields: Record<string, string> = {}): Promise<Answer> {
    return this.#follow(url, this.send(url, fields))
  }

  /** Sends a form and gives back the very answer. */
  send(url: string, fields: Record<string, string> = {}): Promise<Answer> {
    return this.fetch(url, {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { Origin: new URL(url).origin },
    })
  }

  async fetch(url: string, init: RequestInit = {}): Promise<Answer> {
    const headers = new Headers(init.headers)
    const cookie = await this.#jar.getCookieString(url)
    if (cookie) headers.set('Cookie', cookie)
    const answer = await this.#rules.fetch(url, { ...init, headers })
    // Rejects for a cookie that a browser would drop in silence, such as a __Host- one with a wrong attribute.
    for (const line of answer.headers.getSetCookie()) await this.#jar.setCookie(line, url)
    return { status: answer.status, headers: answer.headers, html: answer.body, text: textOf(answer.body) }
  }

  async cookies(url: string): Promise<string[]> {
    return (await this.#jar.getCookies(url)).map(({ key }) => key)
  }

  async #follow(url: string, answer: Promise<Answer>): Promise<Answer> {
    for (let hops = 0; hops < 5; hops++) {
      const { status, headers } = await answer
      const location = headers.get('Location')
      if (status < 300 || status > 399 || location === null) return answer
      url = new URL(location, url).href
      answer = this.fetch(url)
    }
    throw new Error(`more than 5 redirects, the last to ${url}`)
  }
}

const ENTITIES: Record<string, string> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&amp;': '&',
}

function textOf(html: string): string {
  return html
    .replace(/<(style|svg)[^]*?<\/\1>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .replace(/&(lt|gt|quot|#39|amp);/g, (entity) => ENTITIES[entity]!)
}
