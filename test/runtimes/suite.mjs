// What runs where. Every test file is in one of the two lists; run.mjs refuses one that is in none.

/** What runs the library itself: on every Node, Bun and Deno. */
export const everywhere = [
  'test/adapters/',
  'test/core/',
  'test/doctor/canary.test.ts',
  'test/doctor/doctor.test.ts',
  'test/doctor/key-sample.test.ts',
  'test/doctor/name-of-server.test.ts',
  'test/doctor/redis.test.ts',
  'test/faults.test.ts',
  'test/http.test.ts',
  'test/outage.test.ts',
  'test/restart.test.ts',
  'test/signed-out.test.ts',
  'test/told.test.ts',
  'test/rotation.test.ts',
  'test/testing/',
]

/** On the Node of `npm test` alone, and why. */
export const onNodeAlone = {
  'test/at-import.test.ts': 'starts Node itself',
  'test/attacks/': 'breaks copies of the sources and builds them',
  'test/bare-machine.test.ts': 'starts vitest itself, on a copy of the project',
  'test/browser/': 'starts servers on Node and Bun itself, and Chromium',
  'test/cluster.test.ts': 'starts Node itself: the cluster is its own',
  'test/doctor/cli.test.ts': 'starts the command line as a process of its own',
  'test/bun-upgrade.test.ts': 'starts Bun itself',
  'test/docs/': 'reads the guides, runs their commands, and starts Node, Bun and vitest itself',
  'test/examples-sqlite.test.ts': 'starts Node and Bun itself',
  'test/examples.test.ts': 'starts Node and Bun itself',
  'test/fuzz/': 'minutes of random input to code that `everywhere` has run',
  'test/hosts/': 'builds applications with the tools of others and starts Node itself',
  'test/layers.test.ts': 'reads the sources',
  'test/model/': 'minutes of random histories over code that `everywhere` has run',
  'test/moving/': 'starts a PostgreSQL and the compiler itself',
  'test/package.test.ts': 'packs, installs, compiles, and starts Node and Bun itself',
  'test/package/': 'installs and starts the applications of examples/standalone itself, and compiles',
  'test/proofs/': 'starts servers itself, and needs the machine for itself',
  'test/recipes/': 'installs the packages of others and starts Node itself',
  'test/reference.test.ts': 'starts Node itself, on the sources',
  'test/support/': 'tests of what tests use',
  'test/two-copies.test.ts': 'builds copies of the package and installs them',
  'test/types/': 'reads what the compiler says',
}

/** On workerd, which has no `node:` and runs no vitest: a worker, asked over HTTP. */
export const onWorkerd = ['test/runtimes/workerd/workerd.check.ts']
