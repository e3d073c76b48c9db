// vitest starts processes for the tests; one that were another runtime's would prove nothing.
const { RUNTIME: wanted, RUNTIME_VERSION: wantedVersion } = process.env
const actual = process.versions.bun ? 'Bun' : process.versions.deno ? 'Deno' : 'Node'
const version = process.versions[actual.toLowerCase()]
if (wanted !== 'workerd' && (actual !== wanted || version !== wantedVersion)) {
  throw new Error(`expected to run on ${wanted} ${wantedVersion}, got ${actual} ${version}`)
}
