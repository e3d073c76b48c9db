import express from 'express'
import { listen, paths } from './listening.ts'

const app = express()
app.get(Object.values(paths), (_request, response) => void response.send('no session'))
listen(app)
