import express from 'express'
import { session } from 'holdfast/node'
import { mayBeForged } from './may-be-forged.ts'

export const app = express()

// Before the session: what is refused costs nothing.
app.use((request, response, next) => {
  if (mayBeForged(request, 'https://shop.example')) response.sendStatus(403)
  else next()
})
app.use(session())

app.post('/order', (_request, response) => void response.send('ordered'))
