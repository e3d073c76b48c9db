import { mergeConfig } from 'vitest/config'
import shared from '../../vitest.config.ts'
import { everywhere, onWorkerd } from './suite.mjs'

const suite = process.env.RUNTIME === 'workerd' ? onWorkerd : everywhere

const config = mergeConfig(shared, { test: { setupFiles: ['test/runtimes/right-runtime.mjs'] } })
config.test.include = suite.map((path) => (path.endsWith('/') ? `${path}**/*.test.ts` : path))
export default config
