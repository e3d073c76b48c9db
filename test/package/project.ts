import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Besides the guides, of which README and they themselves link to some. */
export const DOCUMENTS: readonly string[] = [
  'CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md', 'bench/results/compare.svg',
  'compose.yaml',
] // prettier-ignore

/** What `npm pack` reports of the tarball; sizes in bytes. */
export interface Packed {
  tarball: string
  files: string[]
  size: number
  unpackedSize: number
}

/** A folder of a test's own under the system's, to be removed at its end. */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-package-'))
  return { path, remove: () => rm(path, { recursive: true }) }
}

/** Packs a copy of the project, so that what lies in dist/ neither gets in nor is disturbed. */
export async function pack(folder: string): Promise<Packed> {
  const copy = join(folder, 'copy')
  const parts = [
    'src',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'prepack.mjs',
    'tools/llms.mjs',
    'docs',
    ...DOCUMENTS,
  ]
  for (const part of parts) await cp(part, join(copy, part), { recursive: true })
  await symlink(resolve('node_modules'), join(copy, 'node_modules'))
  const { stdout } = await run('npm', ['pack', '--json', '--silent', '--pack-destination', folder], {
    cwd: copy,
  })
  // The output of `prepack` comes first.
  const [{ filename, files, size, unpackedSize }] = JSON.parse(stdout.slice(stdout.indexOf('[\n')))
  return {
    tarball: join(folder, filename),
    files: files.map(({ path }: { path: string }) => path),
    size,
    unpackedSize,
  }
}

/** A fresh folder with the tarball and packages installed, and files pasted. */
export async function install(
  path: string,
  tarball: string,
  packages: readonly string[],
  files: readonly string[],
): Promise<string> {
  await mkdir(path)
  // Without one npm would take the nearest folder above that has one for the project.
  await writeFile(join(path, 'package.json'), '{ "private": true }')
  const pinned = await pinnedVersions(packages)
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball, ...pinned], {
    cwd: path,
  })
  for (const file of files) await cp(file, join(path, file.split('/').at(-1)!))
  return path
}

/** Makes a project's files ES modules for every compiler setting. */
export async function declareModules(path: string): Promise<void> {
  const file = join(path, 'package.json')
  await writeFile(file, JSON.stringify({ type: 'module', ...JSON.parse(await readFile(file, 'utf8')) }))
}

/** What a command says, its exit status in front where that is not 0. */
export function say(command: string, args: readonly string[], cwd: string = '.'): Promise<string> {
  return new Promise((done) => {
    execFile(command, args, { cwd, maxBuffer: 10_000_000 }, (error, stdout, stderr) =>
      done(`${error ? `${error.code}: ` : ''}${stdout}${stderr}`.trim()),
    )
  })
}

async function pinnedVersions(packages: readonly string[]): Promise<string[]> {
  const { devDependencies } = JSON.parse(await readFile('package.json', 'utf8'))
  return packages.map((name) => (name.includes('@', 1) ? name : `${name}@${devDependencies[name]}`))
}
