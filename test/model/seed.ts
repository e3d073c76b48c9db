/** Another one each time, so that every run looks elsewhere; `SEED=… npx vitest run test/model` looks again. */
export const seed: number = process.env.SEED ? Number(process.env.SEED) : Math.floor(Math.random() * 2 ** 31)
