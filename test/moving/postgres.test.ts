import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll } from 'vitest'
import { describeMove, expressMove } from '../recipes/moves.ts'
import { startPostgres, type Postgres } from './postgres.ts'

/** Of pg, whose types are not needed for more. */
interface Pool {
  query(text: string): Promise<{ rows: { count: string }[] }>
  end(): Promise<void>
}

let postgres: Postgres
let pool: Pool
beforeAll(async () => {
  postgres = await startPostgres()
  const { default: pg } = await import('pg' as string)
  pool = new pg.Pool({ connectionString: postgres.connectionString })
  await pool.query(await readFile('test/moving/node_modules/connect-pg-simple/table.sql', 'utf8'))
}, 60_000)
afterAll(async () => {
  await pool?.end()
  await postgres?.stop()
})

describeMove(
  expressMove(
    'connect-pg-simple',
    async (expressSession) => {
      const { default: connectPgSimple } = await import('connect-pg-simple' as string)
      return new (connectPgSimple(expressSession))({ pool, pruneSessionInterval: false })
    },
    async () => Number((await pool.query('SELECT count(*) FROM session')).rows[0]!.count),
    () => pool.query('DELETE FROM session'),
  ),
)
