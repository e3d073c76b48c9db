// The shop on Node, through @hono/node-server.
import { serve } from '@hono/node-server'
import { createShop } from '../shop/app.ts'
import { describeStart, readSettings } from '../shop/settings.ts'

const settings = readSettings()

serve({ fetch: createShop(settings).fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(describeStart('The chandlery (Hono on Node)', port, settings))
})
