import { fromNodeMiddleware } from 'h3'
import { session } from 'holdfast/node'
import { manager } from '../utils/session.ts'

export default fromNodeMiddleware(session(manager))
