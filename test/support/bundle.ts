import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

/** A promise broken on purpose: one piece of one source file, replaced. */
export interface Fault {
  file: string
  piece: string
  replacement: string
}

/** What a module of the project becomes with all that it imports, packages excepted. */
export interface Bundled {
  /** Below the project, as `.mjs`. */
  file: string
  text: string
}

const project = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Modules of the project, with faults in their sources, as Node runs them: compiling file by file costs each process half
 * a second, and vitest even more. What two of them import stands once, in files of its own.
 */
export async function bundle(files: readonly string[], faults: readonly Fault[] = []): Promise<Bundled[]> {
  const planted = new Set<Fault>()
  const { outputFiles } = await build({
    absWorkingDir: project,
    entryPoints: files.map((file) => join(project, file)),
    outbase: '.',
    outdir: '.',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    write: false,
    logLevel: 'silent',
    plugins: [planting(faults, planted)],
  })
  const missed = faults.find((fault) => !planted.has(fault))
  if (missed) throw new Error(`${missed.file} is no part of ${files.join(', ')}`)
  return outputFiles.map(({ path, text }) => ({ file: path.slice(project.length), text }))
}

function planting(faults: readonly Fault[], planted: Set<Fault>): Plugin {
  return {
    name: 'planting',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const theirs = faults.filter(({ file }) => join(project, file) === path)
        if (theirs.length === 0) return undefined
        let contents = await readFile(path, 'utf8')
        for (const fault of theirs) {
          const around = contents.split(fault.piece)
          if (around.length !== 2) {
            throw new Error(`${fault.file} holds ${around.length - 1} times: ${fault.piece}`)
          }
          contents = around.join(fault.replacement)
          planted.add(fault)
        }
        return { contents, loader: 'ts' }
      })
    },
  }
}
