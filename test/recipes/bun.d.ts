/** Of @types/bun what the recipes use, as it stands there: the whole of it would change the globals of everything here. */
declare namespace Bun {
  type Params<Path> = Path extends `${string}:${infer Name}/${infer Rest}`
    ? { [Key in Name]: string } & Params<Rest>
    : Path extends `${string}:${infer Name}`
      ? { [Key in Name]: string }
      : {}
  interface BunRequest<Path extends string = string> extends Request {
    readonly params: Params<Path>
  }
  interface Server<Data> {
    upgrade(request: Request, options: { data: Data }): boolean
    timeout(request: Request, seconds: number): void
    requestIP(request: Request): { address: string } | null
  }
  interface ServerWebSocket<Data> {
    data: Data
    send(text: string): number
    close(code?: number): void
  }
  type Handler<Path extends string, Data> = (
    request: BunRequest<Path>,
    server: Server<Data>,
  ) => Response | undefined | Promise<Response | undefined>
  function serve<Data = undefined, Routes extends string = never>(options: {
    port: number
    routes: {
      [Path in Routes]: Response | Handler<Path, Data> | Partial<Record<'GET' | 'POST', Handler<Path, Data>>>
    }
    websocket?: {
      data?: Data
      open?: (socket: ServerWebSocket<Data>) => void | Promise<void>
      close?: (socket: ServerWebSocket<Data>) => void | Promise<void>
      maxPayloadLength?: number
      message: (socket: ServerWebSocket<Data>) => unknown
    }
  }): Server<Data>
  function serve(options: { port: number; fetch: (request: Request) => Response | Promise<Response> }): {
    url: URL
    stop(): Promise<void>
  }
  function sleep(ms: number): Promise<void>
}
