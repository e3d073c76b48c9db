/** The little of SQLite that the store needs, and that `bun:sqlite` and `node:sqlite` have alike. */
export interface Database {
  exec(sql: string): void
  prepare(sql: string): Statement
  close(): void
}

export interface Statement {
  /** Runs it and gives the first row; where there is none, Bun says null and Node undefined. */
  get(...values: Value[]): Record<string, unknown> | null | undefined
}

export type Value = string | number | Uint8Array

/** Opens a file, or makes it: on Bun, or on Node 22 and later. */
export async function openDatabase(file: string): Promise<Database> {
  const name = 'Bun' in globalThis ? 'bun:sqlite' : 'node:sqlite'
  const { Database, DatabaseSync } = await import(name)
  return new (Database ?? DatabaseSync)(file)
}
