/** The package has no types. */
declare module 'connect-memjs' {
  import type session from 'express-session'

  export default function connectMemjs(
    sessions: typeof session,
  ): new (options: { servers: string[]; timeout: number }) => session.Store
}
