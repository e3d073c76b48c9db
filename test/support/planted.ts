import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A promise broken on purpose: one piece of one source file, replaced. */
export interface Fault {
  file: string
  piece: string
  replacement: string
}

/** A copy of the sources, with faults in it, and of the proof's server and the model on them; with it, all that says how they are read. */
export interface Planted {
  folder: string
  app: string
  remove(): Promise<void>
}

export async function plant(...faults: Fault[]): Promise<Planted> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-planted-'))
  for (const part of ['src', 'package.json', 'tsconfig.json', 'test/support', 'test/model']) {
    await cp(inProject(part), join(folder, part), { recursive: true })
  }
  await symlink(inProject('node_modules'), join(folder, 'node_modules'))
  for (const { file, piece, replacement } of faults) {
    const source = await readFile(join(folder, file), 'utf8')
    const around = source.split(piece)
    if (around.length !== 2) throw new Error(`${file} holds ${around.length - 1} times: ${piece}`)
    await writeFile(join(folder, file), around.join(replacement))
  }
  return {
    folder,
    app: join(folder, 'test/support/proof-app.ts'),
    remove: () => rm(folder, { recursive: true }),
  }
}

function inProject(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url))
}
