import type { H3Event } from 'h3'
import type { SessionRequest } from 'holdfast/node'

export type Data = { views: number }

export function sessionOf(event: H3Event) {
  return (event.node.req as unknown as SessionRequest<Data>).session
}
