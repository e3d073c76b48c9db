import { Router, type ErrorRequestHandler, type RequestHandler } from 'express'
import multer, { MulterError } from 'multer'

const limits = { fileSize: 1_000_000, files: 1, fields: 10, fieldSize: 10_000 }
const receive = multer({ storage: multer.memoryStorage(), limits }).single('file')

const forUsers: RequestHandler = async (request, response, next) => {
  const userId: unknown = await request.session.userId()
  if (typeof userId === 'string') next()
  else response.sendStatus(401)
}

const refuse: ErrorRequestHandler = (error, _request, response, next) => {
  if (!(error instanceof MulterError)) next(error)
  else response.sendStatus(error.code === 'LIMIT_FILE_SIZE' ? 413 : 400)
}

/** After `session()`. */
export const uploads = Router()
uploads.post('/photos', forUsers, receive, (request, response) => {
  response.send(`${request.file?.size ?? 0} bytes`)
})
uploads.use(refuse)
