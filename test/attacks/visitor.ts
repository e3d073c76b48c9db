export interface Page {
  status: number
  body: string
  headers: Headers
  setCookie: string | undefined
}

/** Somebody with a browser, or with whatever cookie he likes to send. */
export class Visitor {
  cookie: string | undefined
  readonly #url: string

  constructor(url: string, cookie?: string) {
    this.#url = url
    this.cookie = cookie
  }

  get token(): string {
    return this.cookie!.slice(this.cookie!.indexOf('=') + 1)
  }

  /** Keeps the cookie that the answer sets, as a browser does. */
  async open(path: string, init: RequestInit = {}): Promise<Page> {
    const headers = this.cookie === undefined ? {} : { Cookie: this.cookie }
    const response = await fetch(`${this.#url}${path}`, { headers, ...init })
    const setCookie = response.headers.getSetCookie().at(-1)
    if (setCookie !== undefined)
      this.cookie = setCookie.includes('Max-Age=0') ? undefined : setCookie.split(';')[0]
    return { status: response.status, headers: response.headers, setCookie, body: await response.text() }
  }

  post(path: string, json: string): Promise<Page> {
    const headers = {
      'Content-Type': 'application/json',
      ...(this.cookie !== undefined && { Cookie: this.cookie }),
    }
    return this.open(path, { method: 'POST', body: json, headers })
  }

  /** What the session holds, as the page shows it. */
  async read(): Promise<string> {
    return (await this.open('/all')).body
  }

  set(key: string, value: string): Promise<Page> {
    return this.open(`/set?${new URLSearchParams({ key, value })}`)
  }

  signIn(user: string): Promise<Page> {
    return this.open(`/sign-in?${new URLSearchParams({ user })}`)
  }

  signOut(): Promise<Page> {
    return this.open('/sign-out')
  }
}
