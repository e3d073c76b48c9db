/** What a browser would send, of the sites that it comes from: a cookie that is Lax stays behind on a foreign POST. */
export class Jar {
  readonly #cookies = new Map<string, string>()

  keep(response: Response): Response {
    for (const cookie of response.headers.getSetCookie()) {
      const [pair] = cookie.split(';')
      const [name, value] = pair!.split('=')
      if (value === '') this.#cookies.delete(name!)
      else this.#cookies.set(name!, cookie)
    }
    return response
  }

  header(isForeignPost = false): { cookie: string } {
    const sent = [...this.#cookies.values()].filter((each) => !isForeignPost || /SameSite=None/i.test(each))
    return { cookie: sent.map((each) => each.split(';')[0]).join('; ') }
  }

  get names(): string[] {
    return [...this.#cookies.keys()].toSorted()
  }
}
