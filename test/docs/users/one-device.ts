import { createSessionManager } from 'holdfast'

export const manager = createSessionManager({ maxSessionsPerUser: 1 })
