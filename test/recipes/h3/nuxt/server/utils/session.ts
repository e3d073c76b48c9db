import type { H3Event } from 'h3'
import { createSessionManager } from 'holdfast'
import type { SessionRequest } from 'holdfast/node'

type Data = { views: number }

export const manager = createSessionManager<Data>()

export function sessionOf({ node }: H3Event) {
  return (node.req as typeof node.req & SessionRequest<Data>).session
}
