import Koa from 'koa'
import { listen } from './listening.ts'

listen(
  new Koa().use((ctx) => {
    ctx.body = 'no session'
  }),
)
