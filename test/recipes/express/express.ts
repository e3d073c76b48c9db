import express from 'express'
import type { Session } from 'holdfast'
import { session } from 'holdfast/node'

type Data = { views: number }

declare global {
  namespace Express {
    interface Request {
      session: Session<Data>
    }
  }
}

export const app = express().use(session<Data>())

app.get('/', async (request, response) => {
  response.send(`view ${await request.session.update('views', (n = 0) => n + 1)}`)
})
app.post('/login', (request, response) => {
  request.session.signIn('u1')
  response.redirect('/')
})
app.post('/logout', (request, response) => {
  request.session.destroy()
  response.redirect('/')
})
