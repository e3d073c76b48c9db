import { NestFactory } from '@nestjs/core'
import { AppModule } from './app.ts'

export const app = await NestFactory.create(AppModule)
app.enableShutdownHooks()
await app.listen(process.env['PORT'] ?? 3000)
