import { createSessionManager } from 'holdfast'
import type { SessionContext } from 'holdfast/koa'

export type Data = { cart: string[] }
export type Context = SessionContext<Data>

export const manager = createSessionManager<Data>()
