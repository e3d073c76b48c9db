import express from 'express'
import type { SessionManager } from 'holdfast'
import { session } from 'holdfast/node'
import passport from 'passport'
import { Strategy, type StateStore, type StrategyOptions, type VerifyCallback } from 'passport-oauth2'
import { stateStore } from './oauth-state.ts'

/** Asks the provider whose token this is, and your database who that is. */
type FindUser = (accessToken: string) => Promise<Express.User | false>

export function createApp(manager: SessionManager, provider: StrategyOptions, findUser: FindUser) {
  const verify = (token: string, _refreshToken: string, _profile: unknown, done: VerifyCallback) => {
    findUser(token).then((user) => done(null, user), done)
  }
  const store = stateStore as unknown as StateStore // its types leave PKCE out
  passport.use(new Strategy({ ...provider, pkce: true, store }, verify))
  const authenticate = passport.authenticate('oauth2', { session: false })

  const app = express().use(session(manager))
  app.get('/login', authenticate)
  app.get('/callback', authenticate, (request, response) => {
    request.session.signIn(request.user!.id) // passport goes on for users only
    response.redirect('/')
  })
  return app
}
