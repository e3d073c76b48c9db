import { withSession } from 'holdfast/fetch'
import { mayBeForged } from './may-be-forged.ts'

const shop = withSession<{ orders: number }>({}, async (request, session) => {
  if (request.method !== 'POST') return new Response('Method Not Allowed', { status: 405 })
  return new Response(`order ${await session.update('orders', (n = 0) => n + 1)}`)
})

export default {
  port: Number(process.env.PORT ?? 3000),
  fetch(request: Request) {
    // Before the session: what is refused costs nothing.
    if (mayBeForged(request, 'https://shop.example')) return new Response('Forbidden', { status: 403 })
    return shop(request)
  },
}
