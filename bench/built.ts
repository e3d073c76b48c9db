/** A module of the built package that it does not export. `path`: below dist/core. */
export function built<Module>(path: string): Promise<Module> {
  return import(new URL(`../dist/core/${path}.js`, import.meta.url).href) as Promise<Module>
}
