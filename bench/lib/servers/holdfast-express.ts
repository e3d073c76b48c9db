import express, { type Request } from 'express'
import { session, type SessionRequest } from 'holdfast/node'
import type { Data } from '../sample-data.ts'
import { holdfastOptions, signIn, signInUser } from './holdfast-options.ts'
import { listen, paths } from './listening.ts'

const app = express().use(session<Data>(holdfastOptions))
app.get(paths.untouched, (_request, response) => void response.send('no session'))
app.get(paths.signIn, (request, response) => void response.send(signIn(sessionOf(request))))
app.get(paths.signInUser, (request, response) => void response.send(signInUser(sessionOf(request))))
app.get(paths.read, (request, response) =>
  sessionOf(request)
    .get('userId')
    .then((userId) => void response.send(`user ${userId}`)),
)
app.get(paths.write, (request, response) =>
  sessionOf(request)
    .update('views', (n = 0) => n + 1)
    .then((views) => void response.send(`views ${views}`)),
)
listen(app)

/** Types of express-session, which are compiled with this file, say that it is theirs. */
function sessionOf(request: Request): SessionRequest<Data>['session'] {
  return (request as unknown as SessionRequest<Data>).session
}
