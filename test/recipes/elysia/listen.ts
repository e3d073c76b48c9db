import { app } from './elysia.ts'

app.listen(Number(process.env.PORT ?? 3000))
