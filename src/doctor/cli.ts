#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { diagnose, linesOf } from './doctor.ts'

const USAGE = 'usage: holdfast doctor <memcached-url> [--json]'
const EXIT_STATUS = { ok: 0, warning: 1, unfit: 2 }

async function run(): Promise<number> {
  const { address, isJson } = readArguments()
  const report = await diagnose(address)
  console.log(isJson ? JSON.stringify(report, undefined, 2) : linesOf(report).join('\n'))
  return EXIT_STATUS[report.level]
}

function readArguments(): { address: string; isJson: boolean } {
  // Strict, it would repeat what it does not know, which may hold a password.
  const options = { json: { type: 'boolean' } } as const
  const { values, positionals } = parseArgs({ options, strict: false, allowPositionals: true })
  const { json = false, ...unknown } = values
  const [command, address, ...rest] = positionals
  const isUnderstood = command === 'doctor' && typeof json === 'boolean'
  if (!isUnderstood || address === undefined || rest.length > 0 || Object.keys(unknown).length > 0) {
    throw new TypeError(USAGE)
  }
  return { address, isJson: json }
}

try {
  process.exitCode = await run()
} catch (error) {
  // Of a wrong address it repeats nothing that may be a password.
  console.error((error as Error).message)
  process.exitCode = EXIT_STATUS.unfit
}
