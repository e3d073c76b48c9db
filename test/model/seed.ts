/** The same every time, so that a failure can be repeated; `SEED=7 npx vitest run test/model` looks elsewhere. */
export const seedOr = (usual: number): number => Number(process.env.SEED ?? usual)
