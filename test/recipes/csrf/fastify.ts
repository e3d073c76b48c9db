import Fastify from 'fastify'
import { mayBeForged } from './may-be-forged.ts'

export const app = Fastify()

// Before the hooks of the session: what is refused costs nothing.
app.addHook('onRequest', (request, reply, done) => {
  if (mayBeForged(request, 'https://shop.example')) void reply.code(403).send('Forbidden')
  else done()
})

app.post('/order', async () => 'ordered')
