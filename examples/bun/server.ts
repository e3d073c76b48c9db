// The very same shop on Bun: bun examples/bun/server.ts
import { createShop } from '../shop/app.ts'
import { describeStart, readSettings } from '../shop/settings.ts'

/** The little of Bun that is needed here; with @types/bun this goes. */
declare const Bun: {
  serve(options: { port: number; fetch: (request: Request) => Response | Promise<Response> }): {
    port: number
  }
}

const settings = readSettings()

const { port } = Bun.serve({ port: Number(process.env.PORT ?? 3000), fetch: createShop(settings).fetch })
console.log(describeStart('The chandlery (Hono on Bun)', port, settings))
