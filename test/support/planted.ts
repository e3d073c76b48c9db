import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { bundle, type Fault } from './bundle.ts'

/** Imports modules of a build of the project with faults in it, which share what they import, and nothing with this build. */
export async function importPlanted(faults: readonly Fault[], ...files: string[]): Promise<unknown[]> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-planted-'))
  try {
    await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(folder, 'node_modules'))
    for (const { file, text } of await bundle(files, faults)) {
      await mkdir(dirname(join(folder, file)), { recursive: true })
      await writeFile(join(folder, file), text)
    }
    const urls = files.map((file) => pathToFileURL(join(folder, file.replace(/\.ts$/, '.mjs'))).href)
    return await Promise.all(urls.map((url) => import(/* @vite-ignore */ url) as Promise<unknown>))
  } finally {
    await rm(folder, { recursive: true })
  }
}
