import { join } from 'node:path'

export default { turbopack: { root: join(process.cwd(), '..') } }
