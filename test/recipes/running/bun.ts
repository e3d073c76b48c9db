import { app } from './app.ts'
import { manager } from './manager.ts'

const server = Bun.serve({ port: Number(process.env.PORT ?? 3000), fetch: app.fetch })
console.log('listening on', server.url.href)

process.once('SIGTERM', async () => {
  await server.stop() // once the last answer has left, and its session is saved
  await manager.close()
  process.exit()
})
