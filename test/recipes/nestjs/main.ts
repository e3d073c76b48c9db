import { NestFactory } from '@nestjs/core'
import { AppModule } from './app.ts'

export const started = start()

async function start() {
  const app = await NestFactory.create(AppModule)
  app.enableShutdownHooks()
  await app.listen(process.env.PORT ?? 3000)
  return app
}
