import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

/** Begun last, each would keep one core busy for half a minute while the others have nothing left. */
const longest = [
  'test/outage.test.ts',
  'test/model/model.test.ts',
  'test/browser/shop.test.ts',
  'test/core/stores/memcached/faults.test.ts',
  'test/doctor/doctor.test.ts',
  'test/doctor/redis.test.ts',
  'test/doctor/cli.test.ts',
  'test/faults.test.ts',
  'test/restart.test.ts',
  'test/docs/memcached.test.ts',
  'test/examples.test.ts',
  'test/http.test.ts',
  'test/attacks/stored-records.test.ts',
  'test/model/interleavings.test.ts',
  'test/browser/devices.test.ts',
]

/** Vitest itself begins with the largest file. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = longest.findIndex((path) => moduleId.endsWith(`/${path}`))
      return index < 0 ? longest.length : index
    }
    // oxlint-disable-next-line no-array-sort -- a sequencer's, which sorts no array
    const sorted = await super.sort(files)
    return sorted.toSorted((left, right) => place(left) - place(right))
  }
}

export default defineConfig({
  resolve: {
    alias: [
      { find: /^holdfast$/, replacement: source('core/index.ts') },
      { find: /^holdfast\/memcached$/, replacement: source('core/stores/memcached/memcached-store.ts') },
      { find: /^holdfast\/redis$/, replacement: source('core/stores/redis/redis-store.ts') },
      { find: /^holdfast\/testing$/, replacement: source('testing/index.ts') },
      { find: /^holdfast\/(hono|koa|node|fetch)$/, replacement: source('adapters/$1.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    sequence: { sequencer: LongestFirst },
    // Bundled already (test/support/planted.ts).
    server: { deps: { external: [/\/holdfast-planted-/] } },
    testTimeout: 15_000,
    hookTimeout: 30_000,
  },
})
