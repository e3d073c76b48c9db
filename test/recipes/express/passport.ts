import { callbackify } from 'node:util'
import express from 'express'
import type { SessionManager } from 'holdfast'
import { session } from 'holdfast/node'
import passport from 'passport'
import { Strategy as LocalStrategy } from 'passport-local'

declare global {
  namespace Express {
    interface User {
      id: string
      name: string
    }
  }
}

/** What your database does. */
export interface Users {
  check(name: string, password: string): Promise<Express.User | false>
  find(id: string): Promise<Express.User | undefined>
}

export function createApp(manager: SessionManager, users: Users) {
  const check = (name: string, password: string) => users.check(name, password)
  passport.use(new LocalStrategy(callbackify(check)))

  const app = express().use(session(manager))
  app.use(async (request, _response, next) => {
    const userId = await request.session.userId()
    request.user = userId === undefined ? undefined : await users.find(userId)
    next()
  })
  app.get('/', (request, response) => {
    response.type('text').send(`Hello, ${request.user?.name ?? 'stranger'}`)
  })
  const authenticate = passport.authenticate('local', { session: false })
  app.post('/login', express.urlencoded(), authenticate, (request, response) => {
    request.session.signIn(request.user!.id) // passport goes on for users only
    response.redirect('/')
  })
  app.post('/logout', (request, response) => {
    request.session.destroy()
    response.redirect('/')
  })
  return app
}
