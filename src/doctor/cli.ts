#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { diagnose, linesOf } from './doctor.ts'

const USAGE = 'usage: holdfast doctor <memcached-or-redis-url> [--json] [--strict]'
/** Never 1: node, npm and sh answer it when nothing was examined. */
const EXIT_STATUS = { ok: 0, warning: 0, unfit: 2 }
const STRICT_EXIT_STATUS = { ...EXIT_STATUS, warning: 3 }

async function run(): Promise<number> {
  const { values, positionals } = readArguments()
  const [command, address, ...rest] = positionals
  if (command !== 'doctor' || address === undefined || rest.length > 0) throw new TypeError(USAGE)
  const report = await diagnose(address)
  console.log(values.json ? JSON.stringify(report, undefined, 2) : linesOf(report).join('\n'))
  return (values.strict ? STRICT_EXIT_STATUS : EXIT_STATUS)[report.level]
}

function readArguments() {
  const options = { json: { type: 'boolean' }, strict: { type: 'boolean' } } as const
  try {
    return parseArgs({ options, allowPositionals: true })
  } catch {
    // Its own message repeats what it does not know, which may hold a password.
    throw new TypeError(USAGE)
  }
}

try {
  process.exitCode = await run()
} catch (error) {
  // Of a wrong address it repeats nothing that may be a password.
  console.error((error as Error).message)
  process.exitCode = EXIT_STATUS.unfit
}
