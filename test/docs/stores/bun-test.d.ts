/** The little of `bun:test` that is needed here; with @types/bun this goes. */
declare module 'bun:test' {
  export const describe: { concurrent(name: string, define: () => void): void }
  export function it(name: string, run: () => Promise<void>): void
}
