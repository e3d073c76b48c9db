import { mkdir, writeFile } from 'node:fs/promises'

/** Writes into results/ and says so. Numbers are cut to three decimals, and each list of them stands on one line. */
export async function saveResults(name: string, results: object, svg: string): Promise<void> {
  const round = (_key: string, value: unknown) =>
    typeof value === 'number' ? Number(value.toFixed(3)) : value
  const json = JSON.stringify(results, round, 2).replaceAll(
    /\[\s+([-\d.,\s]+?)\s+\]/g,
    (_list, numbers: string) => `[${numbers.replaceAll(/\s+/g, ' ')}]`,
  )
  const folder = new URL('../results/', import.meta.url)
  await mkdir(folder, { recursive: true })
  await writeFile(new URL(`${name}.json`, folder), `${json}\n`)
  await writeFile(new URL(`${name}.svg`, folder), svg)
  console.log(`\nwritten: bench/results/${name}.json, bench/results/${name}.svg`)
}
