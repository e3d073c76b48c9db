/** How many inputs a fuzzer tries; `FUZZ_RUNS=100000 npx vitest run test/fuzz` tries more. */
export const runsOr = (usual: number): number => Number(process.env.FUZZ_RUNS ?? usual)

/** Long enough for the long run; what hangs is found by the fuzzers themselves. */
export const FUZZ_TIMEOUT_MS = 1_800_000
