import Koa from 'koa'
import { session } from 'holdfast/koa'

const app = new Koa().use(session<{ views: number }>())

app.use(async (ctx) => {
  ctx.body = `view ${await ctx.session.update('views', (n = 0) => n + 1)}`
})
app.listen(Number(process.env.PORT ?? 3000))
