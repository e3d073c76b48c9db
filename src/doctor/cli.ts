#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { diagnose, linesOf } from './doctor.ts'

const USAGE = 'usage: holdfast doctor <memcached-or-redis-url> [--json] [--strict]'
/** Never 1: node, npm and sh answer it when nothing was examined. */
const EXIT_STATUS = { ok: 0, warning: 0, unfit: 2 }
const STRICT_EXIT_STATUS = { ...EXIT_STATUS, warning: 3 }

async function run(): Promise<number> {
  const { address, isJson, isStrict } = readArguments()
  const report = await diagnose(address)
  console.log(isJson ? JSON.stringify(report, undefined, 2) : linesOf(report).join('\n'))
  return (isStrict ? STRICT_EXIT_STATUS : EXIT_STATUS)[report.level]
}

function readArguments(): { address: string; isJson: boolean; isStrict: boolean } {
  // Strict, it would repeat what it does not know, which may hold a password.
  const options = { json: { type: 'boolean' }, strict: { type: 'boolean' } } as const
  const { values, positionals } = parseArgs({ options, strict: false, allowPositionals: true })
  const { json = false, strict = false, ...unknown } = values
  const [command, address, ...rest] = positionals
  const isUnderstood = command === 'doctor' && typeof json === 'boolean' && typeof strict === 'boolean'
  if (!isUnderstood || address === undefined || rest.length > 0 || Object.keys(unknown).length > 0) {
    throw new TypeError(USAGE)
  }
  return { address, isJson: json, isStrict: strict }
}

try {
  process.exitCode = await run()
} catch (error) {
  // Of a wrong address it repeats nothing that may be a password.
  console.error((error as Error).message)
  process.exitCode = EXIT_STATUS.unfit
}
