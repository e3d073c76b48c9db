import fastify from 'fastify'
import { paths } from './listening.ts'
import { listenWithFastify } from './listening-fastify.ts'

const app = fastify()
for (const path of Object.values(paths)) app.get(path, () => 'no session')
await listenWithFastify(app)
