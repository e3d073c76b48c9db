/** The little of Bun that the programs here need: what `@types/bun` has for a reader. */
declare const Bun: {
  serve(options: { port: number; fetch: (request: Request) => Response | Promise<Response> }): {
    url: URL
    stop(): Promise<void>
  }
}
