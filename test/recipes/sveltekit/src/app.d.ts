import type { Session } from 'holdfast'

declare global {
  namespace App {
    interface SessionData {
      views: number
    }
    interface Locals {
      session: Session<SessionData>
    }
  }
}
