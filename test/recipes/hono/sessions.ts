import { createSessionManager } from 'holdfast'
import type { SessionVariables } from 'holdfast/hono'

export type Data = { cart: string[] }
export type Env = { Variables: SessionVariables<Data> }

export const manager = createSessionManager<Data>()
