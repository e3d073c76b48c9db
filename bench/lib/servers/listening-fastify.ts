import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { tellThePort } from './listening.ts'

export async function listenWithFastify(app: FastifyInstance): Promise<void> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  tellThePort((app.server.address() as AddressInfo).port)
}
