import { defineEventHandler } from 'h3'
import { sessionOf } from '../utils/session.ts'

export default defineEventHandler(async (event) => {
  return { views: await sessionOf(event).update('views', (n = 0) => n + 1) }
})
