import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^holdfast$/, replacement: source('core/index.ts') },
      { find: /^holdfast\/memcached$/, replacement: source('core/stores/memcached/memcached-store.ts') },
      { find: /^holdfast\/testing$/, replacement: source('testing/index.ts') },
      { find: /^holdfast\/(hono|koa|node|fetch)$/, replacement: source('adapters/$1.ts') },
    ],
  },
  test: { include: ['test/**/*.test.ts'], testTimeout: 15_000, hookTimeout: 30_000 },
})
